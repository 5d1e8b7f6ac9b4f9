"""What the Bot API's methods do to the pretended Telegram."""

from collections.abc import Callable
from typing import Any

import trio

from trt.sandbox.telegram_chat import (
    ChatActionShown,
    FakeMessage,
    MessageDeleted,
    MessageEdited,
)
from trt.sandbox.telegram_checks import (
    CHAT_ACTIONS,
    TOAST_LENGTH_MAX,
    checked_caption,
    checked_keyboard,
    checked_text,
)
from trt.sandbox.telegram_media_methods import MediaMethods
from trt.sandbox.telegram_outgoing import Arguments, Done, Method, Outgoing
from trt.sandbox.telegram_rates import too_many
from trt.sandbox.telegram_refusal import Refused
from trt.sandbox.telegram_star_methods import StarMethods
from trt.sandbox.telegram_till import Till
from trt.sandbox.telegram_updates import GET_LIMIT_MAX
from trt.sandbox.telegram_webhook import checked_webhook
from trt.sandbox.telegram_world import TelegramWorld, has_same_look

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup"
    " are exactly the same as a current content and reply markup of the message"
)
COMMANDS_MAX = 100


class BotMethods:
    """One async method per Bot API method; each returns what goes into `result`, or refuses."""

    def __init__(self, world: TelegramWorld, till: Till) -> None:
        self._world = world
        self._outgoing = Outgoing(world)
        self._webhook_set_at = -float("inf")
        self._table: dict[str, Method] = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._get_webhook_info,
            "sendMessage": self._send_message,
            "sendChatAction": self._send_chat_action,
            "editMessageText": self._edit_text,
            "editMessageCaption": self._edit_caption,
            "editMessageReplyMarkup": self._edit_keyboard,
            "deleteMessage": self._delete_message,
            "answerCallbackQuery": self._answer_callback,
            "setMyCommands": self._set_commands,
            "getMyCommands": self._get_commands,
            "deleteMyCommands": self._delete_commands,
            "setChatMenuButton": self._set_menu_button,
        }
        self._table |= MediaMethods(world, self._outgoing).table
        self._table |= StarMethods(world, till, self._outgoing).table

    async def call(self, method: str, arguments: Arguments) -> Done:
        """Execute `method` with checked arguments.

        Raises:
            Refused: Telegram says no.
        """
        return await self._table[method](arguments)

    # What the bot is, and how it gets updates

    async def _get_me(self, _: Arguments) -> Done:
        return Done(
            self._world.bot
            | {
                "can_join_groups": False,
                "can_read_all_group_messages": False,
                "supports_inline_queries": False,
            }
        )

    async def _get_updates(self, arguments: Arguments) -> Done:
        world = self._world
        if world.deliverer.webhook is not None:
            raise Refused(
                409,
                "Conflict: can't use getUpdates method while webhook is active;"
                " use deleteWebhook to delete the webhook first",
            )
        self._allow(arguments)
        return Done(
            await world.polling.get(
                offset=arguments.get("offset", 0),
                limit=max(1, min(arguments.get("limit", GET_LIMIT_MAX), GET_LIMIT_MAX)),
                timeout_s=float(arguments.get("timeout", 0)),
                now=world.sources.now(),
            )
        )

    async def _set_webhook(self, arguments: Arguments) -> Done:
        world = self._world
        url = arguments["url"]
        if not url:
            return await self._delete_webhook(arguments)
        now = trio.current_time()
        if now - self._webhook_set_at < world.limits.set_webhook_interval_s:
            raise too_many(1)
        self._webhook_set_at = now
        try:
            webhook = checked_webhook(
                url, arguments.get("secret_token", ""), arguments.get("max_connections")
            )
        except Refused:
            # A refused address still removes the one before (source of the Bot API server).
            world.deliverer.set(None)
            raise
        self._allow(arguments)
        self._drop_pending(arguments)
        is_same = webhook == world.deliverer.webhook
        world.polling.terminate("setWebhook request")
        world.deliverer.set(webhook)
        return Done(True, f"Webhook {'is already' if is_same else 'was'} set")  # noqa: FBT003

    async def _delete_webhook(self, arguments: Arguments) -> Done:
        self._drop_pending(arguments)
        is_gone = self._world.deliverer.webhook is None
        self._world.deliverer.set(None)
        return Done(True, f"Webhook {'is already' if is_gone else 'was'} deleted")  # noqa: FBT003

    async def _get_webhook_info(self, _: Arguments) -> Done:
        return Done(self._world.deliverer.info())

    def _allow(self, arguments: Arguments) -> None:
        if (kinds := arguments.get("allowed_updates")) is not None:
            self._world.updates.allowed = frozenset(map(str, kinds)) or None

    def _drop_pending(self, arguments: Arguments) -> None:
        if arguments.get("drop_pending_updates", False):
            self._world.updates.drop_all(self._world.sources.now())

    # Sending

    async def _send_message(self, arguments: Arguments) -> Done:
        chat = self._outgoing.chat(arguments)
        parse_mode = arguments.get("parse_mode", "")
        formatted = checked_text(arguments["text"], parse_mode)
        keyboard = checked_keyboard(arguments.get("reply_markup"))
        return Done(
            self._outgoing.put(
                chat,
                "text",
                text=formatted.text,
                html=arguments["text"] if parse_mode else "",
                entities=formatted.entities,
                keyboard=keyboard,
            )
        )

    async def _send_chat_action(self, arguments: Arguments) -> Done:
        chat = self._world.writable(arguments["chat_id"])
        action = arguments["action"]
        if action not in CHAT_ACTIONS:
            raise Refused(400, "Bad Request: wrong parameter action in request")
        chat.actions.append(action)
        self._world.changes.publish(ChatActionShown(chat_id=chat.chat_id, action=action))
        return Done(result=True)

    # Changing what was sent

    async def _edit_text(self, arguments: Arguments) -> Done:
        message = self._editable(arguments)
        if message.kind != "text":
            raise Refused(400, "Bad Request: there is no text in the message to edit")
        source = arguments.get("text", "")
        return self._edit(message, arguments, source, checked_text)

    async def _edit_caption(self, arguments: Arguments) -> Done:
        message = self._editable(arguments)
        if message.file is None:
            raise Refused(400, "Bad Request: there is no caption in the message to edit")
        return self._edit(message, arguments, arguments.get("caption", ""), checked_caption)

    async def _edit_keyboard(self, arguments: Arguments) -> Done:
        message = self._editable(arguments)
        is_invoice = message.invoice is not None
        keyboard = checked_keyboard(arguments.get("reply_markup"), is_invoice=is_invoice)
        if keyboard == message.keyboard:
            raise Refused(400, NOT_MODIFIED)
        message.keyboard = keyboard
        return self._edited(message)

    def _edit(
        self, message: FakeMessage, arguments: Arguments, source: str, check: Callable[..., Any]
    ) -> Done:
        parse_mode = arguments.get("parse_mode", "")
        formatted = check(source, parse_mode)
        # An edit without reply_markup takes the buttons away, as at the real Telegram.
        keyboard = checked_keyboard(arguments.get("reply_markup"))
        if has_same_look(message, formatted.text, formatted.entities, keyboard):
            raise Refused(400, NOT_MODIFIED)
        message.text, message.entities = formatted.text, formatted.entities
        message.html = source if parse_mode else ""
        message.keyboard = keyboard
        return self._edited(message)

    def _edited(self, message: FakeMessage) -> Done:
        message.edits += 1
        message.edited_at = self._world.sources.now()
        self._world.changes.publish(MessageEdited(message=message))
        return Done(self._world.wire(message))

    def _editable(self, arguments: Arguments) -> FakeMessage:
        chat = self._outgoing.chat(arguments)
        message = chat.find(arguments.get("message_id", 0))
        if message is None:
            raise Refused(400, "Bad Request: message to edit not found")
        if not message.is_from_bot or message.service is not None:
            raise Refused(400, "Bad Request: message can't be edited")
        return message

    async def _delete_message(self, arguments: Arguments) -> Done:
        chat = self._world.writable(arguments["chat_id"])
        message = chat.find(arguments["message_id"])
        if message is None:
            raise Refused(400, "Bad Request: message to delete not found")
        chat.messages.remove(message)
        self._world.changes.publish(MessageDeleted(message=message))
        return Done(result=True)

    # Answers

    async def _answer_callback(self, arguments: Arguments) -> Done:
        text = arguments.get("text", "")
        if len(text) > TOAST_LENGTH_MAX:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
        is_alert = arguments.get("show_alert", False)
        self._world.answer(arguments["callback_query_id"], text, is_alert=is_alert)
        return Done(result=True)

    # Commands

    async def _set_commands(self, arguments: Arguments) -> Done:
        commands = arguments["commands"]
        if not isinstance(commands, list) or len(commands) > COMMANDS_MAX:
            raise Refused(400, "Bad Request: can't parse commands: expected an Array of BotCommand")
        for command in commands:
            if not isinstance(command, dict) or not {"command", "description"} <= command.keys():
                raise Refused(
                    400, "Bad Request: can't parse commands: BotCommand must be an Object"
                )
        self._world.commands[arguments.get("language_code", "")] = commands
        return Done(result=True)

    async def _get_commands(self, arguments: Arguments) -> Done:
        return Done(self._world.commands.get(arguments.get("language_code", ""), []))

    async def _delete_commands(self, arguments: Arguments) -> Done:
        self._world.commands.pop(arguments.get("language_code", ""), None)
        return Done(result=True)

    async def _set_menu_button(self, _: Arguments) -> Done:
        return Done(result=True)
