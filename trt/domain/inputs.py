"""What a user can do to the bot, in the house's words."""

from attrs import frozen

from trt.domain.ids import CallbackId, ChatId, MessageId, UserId


@frozen(kw_only=True)
class Person:
    """Who did it."""

    user_id: UserId
    chat_id: ChatId
    first_name: str
    language_code: str
    """IETF tag from the Telegram profile, or empty."""


@frozen(kw_only=True)
class CommandSent:
    """A message that starts with a slash; `command` without the slash and the bot's name."""

    command: str
    argument: str


@frozen(kw_only=True)
class TextSent:
    """A plain text message."""

    text: str


@frozen(kw_only=True)
class MediaSent:
    """A photo, sticker, voice message …; `kind` is Telegram's field name."""

    kind: str


@frozen(kw_only=True)
class ButtonTapped:
    """A tap on an inline button; `message_id` is None when Telegram no longer names the message."""

    callback_id: CallbackId
    data: str
    message_id: MessageId | None


UserEvent = CommandSent | TextSent | MediaSent | ButtonTapped
