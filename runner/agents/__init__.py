"""What plays an agent: one seam, `ChatModel`, and a file for each way to fill it."""
