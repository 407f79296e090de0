"""Every code a diagnostic of the files can carry. Stable: `run-network explain CODE` tells each one's story."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    # the bytes and the YAML
    TOO_LARGE = "too-large"
    NOT_UTF8 = "not-utf8"
    BYTE_ORDER_MARK = "byte-order-mark"
    CONTROL_CHARACTER = "control-character"
    TAB_INDENTATION = "tab-indentation"
    INVALID_YAML = "invalid-yaml"
    EMPTY_FILE = "empty-file"
    SEVERAL_DOCUMENTS = "several-documents"
    NOT_A_MAPPING = "not-a-mapping"
    TOO_DEEP = "too-deep"
    DUPLICATE_KEY = "duplicate-key"
    INVALID_KEY = "invalid-key"
    UNKNOWN_YAML_TAG = "unknown-yaml-tag"
    UNKNOWN_ANCHOR = "unknown-anchor"
    RECURSIVE_ALIAS = "recursive-alias"
    NUMBER_OUT_OF_RANGE = "number-out-of-range"
    # references
    UNSET_REFERENCE = "unset-reference"
    INVALID_REFERENCE = "invalid-reference"
    # shape
    UNKNOWN_KEY = "unknown-key"
    MISSING_KEY = "missing-key"
    WRONG_TYPE = "wrong-type"
    INVALID_VALUE = "invalid-value"
    INVALID_NAME = "invalid-name"
    CONFLICTING_KEYS = "conflicting-keys"
    # files
    MISSING_FILE = "missing-file"
    UNREADABLE_FILE = "unreadable-file"
    PATH_OUTSIDE = "path-outside"
    INVALID_PYTHON = "invalid-python"
    UNKNOWN_FUNCTION = "unknown-function"
    INVALID_SCHEMA = "invalid-schema"
    INVALID_TEMPLATE = "invalid-template"
    # names
    UNKNOWN_ENSEMBLE = "unknown-ensemble"
    UNKNOWN_CAPABILITY = "unknown-capability"
    NOT_SHARED = "not-shared"
    ASYNC_TOOL = "async-tool"
    NO_PROVIDER = "no-provider"
    UNKNOWN_TAG = "unknown-tag"
    AMBIGUOUS_TAG = "ambiguous-tag"
    UNKNOWN_DELIVERY = "unknown-delivery"
    UNKNOWN_MODEL = "unknown-model"
    EMPTY_ROUTE = "empty-route"
    UNKNOWN_ROLE = "unknown-role"
    UNKNOWN_AGENT = "unknown-agent"
    UNKNOWN_TOOL = "unknown-tool"
    UNKNOWN_USE = "unknown-use"
    UNKNOWN_TASK = "unknown-task"
    UNKNOWN_STEP = "unknown-step"
    UNKNOWN_VARIABLE = "unknown-variable"
    DUPLICATE_STEP = "duplicate-step"
    DUPLICATE_CAPABILITY = "duplicate-capability"
    NAME_CLASH = "name-clash"
    # the network as a whole
    STEP_CYCLE = "step-cycle"
    DELEGATION_CYCLE = "delegation-cycle"
    AUTHORITY_EXCEEDED = "authority-exceeded"
    NOT_YET_SUPPORTED = "not-yet-supported"
