"""Names for the numbers and strings that identify things."""

from typing import NewType

BotId = NewType("BotId", int)
UserId = NewType("UserId", int)
ChatId = NewType("ChatId", int)
UpdateId = NewType("UpdateId", int)
MessageId = NewType("MessageId", int)
CallbackId = NewType("CallbackId", str)
"""Telegram's id of one tap, good for one answer."""

ModelId = NewType("ModelId", str)
DraftId = NewType("DraftId", str)
"""Eight hex characters that make the buttons of one order form single-use."""

JobId = NewType("JobId", str)
"""Thirty-two hex characters; travels in the callback URL."""

TaskId = NewType("TaskId", str)
"""KIE's own id of a task; any string."""

Cid = NewType("Cid", str)
"""Correlation id: eight hex characters that follow one tap through everything it caused."""

Shard = NewType("Shard", int)
