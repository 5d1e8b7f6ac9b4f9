"""The catalogue: every event there is, its level, and the fields that it must and may carry."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from attrs import field, frozen

FieldValue = str | int | float | bool | None
"""What a field can hold; everything else is turned into words by whoever emits it."""


class Level(StrEnum):
    """How loud an event is in the log; ERROR means that somebody has to look."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class EventName(StrEnum):
    """Names are a contract with the people who search the log."""

    UPDATE_RECEIVED = "UPDATE_RECEIVED"
    UPDATE_DUPLICATE = "UPDATE_DUPLICATE"
    UPDATE_REFUSED = "UPDATE_REFUSED"
    COMMAND_RECEIVED = "COMMAND_RECEIVED"
    CALLBACK_RECEIVED = "CALLBACK_RECEIVED"
    CALLBACK_ROUTED = "CALLBACK_ROUTED"
    CALLBACK_ACCEPTED = "CALLBACK_ACCEPTED"
    CALLBACK_REJECTED = "CALLBACK_REJECTED"
    UI_RENDER = "UI_RENDER"
    ANSWER_CALLBACK_QUERY = "ANSWER_CALLBACK_QUERY"
    DISPATCH_OK = "DISPATCH_OK"
    DISPATCH_REFUSED = "DISPATCH_REFUSED"
    DISPATCH_FAIL = "DISPATCH_FAIL"
    PASSIVE_REJECT = "PASSIVE_REJECT"
    SESSION_RESET = "SESSION_RESET"

    TASK_CREATED = "TASK_CREATED"
    TASK_STATE = "TASK_STATE"
    TASK_COMPLETED = "TASK_COMPLETED"
    KIE_SUBMIT = "KIE_SUBMIT"
    KIE_UPLOAD = "KIE_UPLOAD"
    """The pictures of an order went to KIE's file service, or did not."""
    KIE_POLL = "KIE_POLL"
    KIE_CALLBACK = "KIE_CALLBACK"
    KIE_CALLBACK_REFUSED = "KIE_CALLBACK_REFUSED"
    KIE_FETCH = "KIE_FETCH"
    """The bytes of a result were asked for, of KIE's file host."""
    KIE_BREAKER = "KIE_BREAKER"
    """KIE answers no more, or again: orders are held back, or let through."""
    CREDITS_DRIFT = "CREDITS_DRIFT"
    """KIE took other credits for a job than our price list says."""
    LATE_RESULT = "LATE_RESULT"
    """A job that was given up and refunded has a result after all; the user gets it for nothing."""
    OPERATOR_ALARM = "OPERATOR_ALARM"
    """Something goes on failing until the operator does something; `reason_code` says what."""
    LEDGER_TRANSFER = "LEDGER_TRANSFER"

    PRE_CHECKOUT = "PRE_CHECKOUT"
    """Whether a payment may go on was asked and answered."""
    PAYMENT_CREDITED = "PAYMENT_CREDITED"
    PAYMENT_DUPLICATE = "PAYMENT_DUPLICATE"
    """A payment was told once more; nothing changed."""
    PAYMENT_ODD = "PAYMENT_ODD"
    """Telegram tells of a payment that cannot be one of ours; nothing was credited."""
    PAYMENT_TAKEN_BACK = "PAYMENT_TAKEN_BACK"
    """A payment went back without our doing; what was spent of it the operator bears."""
    REFUND_ASKED = "REFUND_ASKED"
    REFUND_ENDED = "REFUND_ENDED"
    ADMIN_ACTION = "ADMIN_ACTION"
    STARS_RECONCILED = "STARS_RECONCILED"
    STARS_FOREIGN = "STARS_FOREIGN"
    """Telegram's list has a payment for no invoice of ours, and no update told of it."""
    STARS_UNKNOWN = "STARS_UNKNOWN"
    """A payment that we credited is in no list of Telegram's."""
    STARS_WENT = "STARS_WENT"
    """Stars left the bot's account and were no payment of anybody's, such as a withdrawal."""
    BOOKS_AUDITED = "BOOKS_AUDITED"
    BOOKS_BROKEN = "BOOKS_BROKEN"

    MESSAGE_SENT = "MESSAGE_SENT"
    MESSAGE_DELAYED = "MESSAGE_DELAYED"
    """Telegram asked for a pause or could not be reached; nothing was sent."""
    MESSAGE_FAILED = "MESSAGE_FAILED"
    MESSAGE_UNKNOWN = "MESSAGE_UNKNOWN"
    """A send whose outcome nobody knows: it may have reached the user."""

    LOCK_ACQUIRED = "LOCK_ACQUIRED"
    LOCK_LOST = "LOCK_LOST"
    LOCK_RELEASED = "LOCK_RELEASED"
    LOCK_WAITING = "LOCK_WAITING"
    LOCK_DEPOSED = "LOCK_DEPOSED"
    """An operator took a lease away; told in the database alone, by the operator's command."""
    WAKE_UPS_LOST = "WAKE_UPS_LOST"
    """Notifications between instances do not come through; everything still polls."""

    ACTOR_STARTED = "ACTOR_STARTED"
    ACTOR_CRASHED = "ACTOR_CRASHED"
    CRASH_REPORT = "CRASH_REPORT"
    """Where in the code a crash happened and what its supervisor does next, in several lines."""
    ACTOR_RESTARTING = "ACTOR_RESTARTING"
    ACTOR_GAVE_UP = "ACTOR_GAVE_UP"
    ACTOR_STOPPED = "ACTOR_STOPPED"
    ACTOR_DID_NOT_STOP = "ACTOR_DID_NOT_STOP"
    DEAD_LETTER = "DEAD_LETTER"

    MODEL_BLOCKED = "MODEL_BLOCKED"
    """A model of the registry is not sold by this process; `reason_code` says why."""
    APP_STARTED = "APP_STARTED"
    APP_STOPPING = "APP_STOPPING"
    APP_STOPPED = "APP_STOPPED"
    WEBHOOK_SET = "WEBHOOK_SET"
    WEBHOOK_FAILED = "WEBHOOK_FAILED"
    AUTH_REFUSED = "AUTH_REFUSED"


@frozen(kw_only=True)
class Event:
    """Something that happened, as the taps see it; `fields` holds ids in clear."""

    name: EventName
    level: Level
    at: datetime
    fields: Mapping[str, FieldValue]


@frozen
class Kind:
    """What the catalogue says about one event."""

    level: Level
    required: frozenset[str]
    optional: frozenset[str]
    known: frozenset[str] = field(init=False)
    """Every field that it may carry; put together once, because every event asks."""

    @known.default
    def _all(self) -> frozenset[str]:
        return self.required | self.optional | CONTEXT

    def problem(self, fields: Mapping[str, FieldValue]) -> str | None:
        """Return what is wrong with `fields` for this kind of event, or None."""
        if self.required <= fields.keys() <= self.known:
            return None
        if missing := sorted(self.required - fields.keys()):
            return f"missing {', '.join(missing)}"
        return f"unknown {', '.join(sorted(fields.keys() - self.known))}"


CONTEXT = frozenset(
    {"cid", "user_id", "chat_id", "update_id", "job_id", "model_id", "bot_state", "error"}
)
"""Fields that any event may carry; `bot_state` is ACTIVE or PASSIVE, `error` a class name.

`reason_code` always holds one of the house's reason codes, `reason` and `detail` are words."""


def _event(level: Level, required: str = "", optional: str = "") -> Kind:
    return Kind(level, frozenset(required.split()), frozenset(optional.split()))


CATALOGUE: Mapping[EventName, Kind] = {
    # A user did something; from here to the answer everything has a cid.
    EventName.UPDATE_RECEIVED: _event(Level.INFO, "cid update_id kind", "source"),
    EventName.UPDATE_DUPLICATE: _event(Level.INFO, "update_id", "kind source"),
    EventName.UPDATE_REFUSED: _event(
        Level.WARNING, "reason_code", "kind source detail retry_after_s"
    ),
    EventName.COMMAND_RECEIVED: _event(Level.INFO, "cid command", "handler"),
    EventName.CALLBACK_RECEIVED: _event(Level.INFO, "cid callback_id", "payload message_id"),
    EventName.CALLBACK_ROUTED: _event(Level.INFO, "cid handler", "callback_id button_id"),
    EventName.CALLBACK_ACCEPTED: _event(Level.INFO, "cid", "callback_id screen_id"),
    EventName.CALLBACK_REJECTED: _event(
        Level.WARNING, "cid reason_code", "screen_id callback_id detail"
    ),
    EventName.UI_RENDER: _event(Level.INFO, "cid screen_id", "buttons_count is_edit"),
    EventName.ANSWER_CALLBACK_QUERY: _event(
        Level.INFO, "cid", "callback_id outcome is_alert reason_code duration_s"
    ),
    EventName.DISPATCH_OK: _event(
        Level.INFO, "cid", "kind handler screen_id reason_code duration_s"
    ),
    EventName.DISPATCH_REFUSED: _event(Level.WARNING, "cid reason_code", "kind"),
    EventName.DISPATCH_FAIL: _event(
        Level.ERROR, "cid reason_code", "kind attempt detail duration_s"
    ),
    EventName.SESSION_RESET: _event(Level.WARNING, "cid"),
    EventName.PASSIVE_REJECT: _event(Level.INFO, "cid", "kind callback_id reason_code"),
    # A generation, from the confirmation to the delivery or the refund.
    EventName.TASK_CREATED: _event(Level.INFO, "cid job_id", "price_kopecks"),
    EventName.TASK_STATE: _event(
        Level.INFO, "cid job_id state", "state_before task_id reason_code"
    ),
    EventName.TASK_COMPLETED: _event(
        Level.INFO, "cid job_id outcome", "reason_code duration_s price_kopecks task_id"
    ),
    EventName.KIE_SUBMIT: _event(
        Level.INFO,
        "cid job_id outcome",
        "attempt task_id reason_code code detail retry_after_s duration_s",
    ),
    EventName.KIE_UPLOAD: _event(
        Level.INFO, "cid job_id outcome", "reason_code detail retry_after_s"
    ),
    EventName.KIE_POLL: _event(
        Level.DEBUG, "cid job_id outcome", "attempt task_id phase code detail duration_s credits"
    ),
    EventName.KIE_CALLBACK: _event(
        Level.INFO, "job_id", "task_id outcome is_duplicate is_verified"
    ),
    EventName.KIE_CALLBACK_REFUSED: _event(Level.WARNING, "reason", "task_id detail"),
    EventName.KIE_FETCH: _event(Level.INFO, "job_id outcome", "bytes_count duration_s detail"),
    EventName.KIE_BREAKER: _event(Level.WARNING, "state", "state_before retry_after_s"),
    EventName.CREDITS_DRIFT: _event(Level.WARNING, "cid job_id expected consumed", "task_id"),
    EventName.LATE_RESULT: _event(Level.INFO, "cid job_id", "reason_code duration_s task_id"),
    EventName.OPERATOR_ALARM: _event(Level.ERROR, "reason_code", "detail"),
    EventName.LEDGER_TRANSFER: _event(
        Level.INFO, "cid kind amount_kopecks", "balance_kopecks transfer_id"
    ),
    # Money from outside, and back.
    EventName.PRE_CHECKOUT: _event(Level.INFO, "cid outcome", "reason stars duration_s"),
    EventName.PAYMENT_CREDITED: _event(
        Level.INFO, "cid source amount_kopecks", "external_id stars found_by"
    ),
    EventName.PAYMENT_DUPLICATE: _event(Level.INFO, "cid source", "external_id"),
    EventName.PAYMENT_ODD: _event(Level.ERROR, "cid detail", "external_id stars"),
    EventName.PAYMENT_TAKEN_BACK: _event(
        Level.WARNING, "cid source amount_kopecks covered_kopecks", "external_id found_by"
    ),
    EventName.REFUND_ASKED: _event(Level.INFO, "cid amount_kopecks", "external_id"),
    EventName.REFUND_ENDED: _event(Level.INFO, "cid outcome amount_kopecks", "external_id detail"),
    EventName.ADMIN_ACTION: _event(Level.INFO, "cid kind outcome", "amount_kopecks"),
    EventName.STARS_RECONCILED: _event(Level.INFO, "seen credited taken_back", "unknown other"),
    EventName.STARS_FOREIGN: _event(Level.WARNING, "cid external_id", "stars kind"),
    EventName.STARS_UNKNOWN: _event(Level.WARNING, "cid external_id", "stars amount_kopecks"),
    EventName.STARS_WENT: _event(Level.WARNING, "external_id stars kind"),
    EventName.BOOKS_AUDITED: _event(Level.INFO, "users", "duration_s"),
    EventName.BOOKS_BROKEN: _event(Level.ERROR, "problems_count detail"),
    # What we told the user.
    EventName.MESSAGE_SENT: _event(
        Level.INFO, "cid kind", "method outbox_id message_id screen_id attempt duration_s"
    ),
    EventName.MESSAGE_DELAYED: _event(
        Level.WARNING, "cid delay_s", "kind method outbox_id screen_id attempt detail"
    ),
    EventName.MESSAGE_FAILED: _event(
        Level.WARNING, "cid kind", "method outcome outbox_id screen_id attempt code detail"
    ),
    EventName.MESSAGE_UNKNOWN: _event(
        Level.WARNING, "cid", "kind method outbox_id screen_id attempt detail duration_s"
    ),
    # Who is active.
    EventName.LOCK_ACQUIRED: _event(
        Level.INFO, "epoch", "lease holder holder_pid waited_s taken_from why gap_s"
    ),
    EventName.LOCK_LOST: _event(
        Level.WARNING, "epoch reason", "lease detail holder holder_pid held_s"
    ),
    EventName.LOCK_RELEASED: _event(
        Level.INFO, "epoch", "lease reason detail holder holder_pid held_s"
    ),
    EventName.LOCK_WAITING: _event(Level.INFO, "", "lease epoch holder holder_pid waited_s"),
    EventName.LOCK_DEPOSED: _event(Level.WARNING, "lease epoch by because", "holder"),
    EventName.WAKE_UPS_LOST: _event(Level.WARNING, "", "retry_after_s"),
    # The runtime itself.
    EventName.ACTOR_STARTED: _event(Level.DEBUG, "actor", "incarnation"),
    EventName.ACTOR_CRASHED: _event(Level.ERROR, "actor", "incarnation message attempt detail"),
    EventName.CRASH_REPORT: _event(Level.WARNING, "actor report"),
    EventName.ACTOR_RESTARTING: _event(
        Level.WARNING, "actor", "incarnation delay_s budget_left reason"
    ),
    EventName.ACTOR_GAVE_UP: _event(Level.ERROR, "actor", "incarnation restarts reason"),
    EventName.ACTOR_STOPPED: _event(Level.DEBUG, "actor", "incarnation reason duration_s"),
    EventName.ACTOR_DID_NOT_STOP: _event(Level.ERROR, "actor", "incarnation grace_s"),
    EventName.DEAD_LETTER: _event(Level.WARNING, "actor", "message reason attempt"),
    EventName.MODEL_BLOCKED: _event(Level.WARNING, "model_id reason_code", "detail"),
    EventName.APP_STARTED: _event(Level.INFO, "", "mode version instance pid host port database"),
    EventName.APP_STOPPING: _event(Level.INFO, "", "reason instance pid"),
    EventName.APP_STOPPED: _event(Level.INFO, "", "unstopped duration_s instance pid"),
    EventName.WEBHOOK_SET: _event(Level.INFO, "", "host is_changed pending_count"),
    EventName.WEBHOOK_FAILED: _event(
        Level.WARNING, "reason", "host code detail attempt retry_after_s"
    ),
    EventName.AUTH_REFUSED: _event(Level.WARNING, "where", "reason detail"),
}
