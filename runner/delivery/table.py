"""Every method of delivery with the file that does it."""

from __future__ import annotations

from typing import assert_never

from runner.deliverable import Deliverable, NoDelivery, QueueDelivery, ReplyDelivery, StoreDelivery, TopicDelivery
from runner.delivery.method import Method
from runner.delivery.none import Nowhere
from runner.delivery.queue import Queue
from runner.delivery.reply import Reply
from runner.delivery.store import Store
from runner.delivery.topic import Topic


def method_of(delivery: Deliverable) -> Method:
    match delivery:
        case ReplyDelivery():
            return Reply()
        case NoDelivery():
            return Nowhere()
        case QueueDelivery(name):
            return Queue(name)
        case TopicDelivery(name):
            return Topic(name)
        case StoreDelivery(key, ttl):
            return Store(key, ttl)
        case _:
            assert_never(delivery)
