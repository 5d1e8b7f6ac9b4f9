"""`trt ops trace` of what happened: the whole story of a tap, each cause before its effect."""

from collections.abc import Sequence

import pytest

from tests.stories import kit, till_kit
from tests.stories.shard_kit import users_of
from tests.stories.till_kit import WITH_ADMIN, WITHOUT_A_GIFT
from trt.domain.ids import Cid
from trt.ops.story import Place, Story, story_of
from trt.ops.story_rows import traces_of
from trt.sandbox.kie_script import Fail, KIEOptions
from trt.testing.world import World


async def told(w: World, cid: Cid) -> Story:
    """Return what an operator is told of a tap."""
    story = story_of(cid, await w.db.transact(traces_of, cid))
    assert story is not None
    return story


async def cid_of_update(w: World, kind: str) -> Cid:
    """Return the cid of the last update of a kind."""
    cids = await w.rows(
        "SELECT cid FROM inbox WHERE kind = :kind ORDER BY update_id DESC LIMIT 1", kind=kind
    )
    [[cid]] = cids
    return Cid(cid)


def assert_told_in_order(story: Story, milestones: Sequence[tuple[Place, str]]) -> None:
    """Assert that each of these was told once, and in this order, up to the last reply."""
    said = [(step.place, step.what) for step in story.steps]
    at = []
    for place, words in milestones:
        [found] = [n for n, step in enumerate(said) if step[0] is place and words in step[1]]
        at.append(found)
    sent = [n for n, step in enumerate(said) if step[0] is Place.OUTBOX and "sent" in step[1]]
    assert [*at, sent[-1]] == sorted([*at, sent[-1]]), said


def places(story: Story) -> set[Place]:
    return {step.place for step in story.steps}


UP_TO_THE_CALLBACK = [
    (Place.INBOX, "callback_query received"),
    (Place.JOB, "begun"),
    (Place.MONEY, "0.63 RUB held (reserve)"),
    (Place.JOB, "createTask 1 of job"),
    (Place.KIE, ": created, task"),
    (Place.KIE, "called back"),
]
OF_A_JOB = {Place.INBOX, Place.JOB, Place.MONEY, Place.KIE, Place.OUTBOX, Place.EVENT}


@kit.SEEDS
def test_a_paid_tap_is_told_from_its_update_to_the_last_reply(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(120)
        of_tap = await told(w, (await kit.only_job(w, anna)).cid)
        milestones = [
            *UP_TO_THE_CALLBACK,
            (Place.KIE, "has its result for 0.8 credits, 0.8 expected"),
            (Place.OUTBOX, "send_result queued"),
            (Place.OUTBOX, "send_result sent"),
            (Place.JOB, "is delivered"),
            (Place.MONEY, "0.63 RUB charged (capture)"),
        ]
        assert_told_in_order(of_tap, milestones)
        assert_told_in_order(of_tap, [*milestones[:3], (Place.INBOX, "done: SUCCESS")])
        assert places(of_tap) == OF_A_JOB
        assert of_tap.outcome == "delivered, 0.63 RUB charged"
        [task] = w.kie.tasks
        events = [step.what for step in of_tap.steps if step.place is Place.EVENT]
        assert f"KIE_CALLBACK task_id={task.task_id} is_duplicate=False" in events
        [fetch] = [what for what in events if what.startswith("KIE_FETCH outcome=ResultFile")]
        assert "bytes_count=" in fetch

    kit.tell(story, seed)


@kit.SEEDS
def test_a_refunded_tap_is_told_with_what_was_held_and_given_back(seed: int) -> None:
    async def story(w: World) -> None:
        w.kie.script(Fail())
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(120)
        await kit.assert_refunded(w, anna)
        job = await kit.only_job(w, anna)
        of_tap = await told(w, job.cid)
        assert_told_in_order(
            of_tap,
            [
                *UP_TO_THE_CALLBACK,
                (Place.JOB, f"is failed: {job.reason}"),
                (Place.MONEY, "0.63 RUB given back (release)"),
            ],
        )
        assert places(of_tap) == OF_A_JOB
        assert of_tap.outcome == f"refunded: {job.reason}"

    kit.tell(story, seed)


@kit.SEEDS
def test_a_callback_that_came_twice_is_told_twice(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(120)
        of_tap = await told(w, (await kit.only_job(w, anna)).cid)
        [task] = w.kie.tasks
        again = f"KIE_CALLBACK task_id={task.task_id} is_duplicate="
        came = [step.what.removeprefix(again) for step in of_tap.steps if again in step.what]
        assert came == ["False", "True"]
        assert len([step for step in of_tap.steps if "called back" in step.what]) == 1

    kit.tell(story, seed, kie=KIEOptions(callback_duplicates=1.0))


@kit.SEEDS
def test_a_payment_is_told_with_its_number_and_what_became_of_it(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        charge_id = await till_kit.has_paid(anna)
        await w.settled(5)
        paid = await cid_of_update(w, "successful_payment")
        milestones = [
            (Place.INBOX, "successful_payment received"),
            (Place.PAYMENT, f"stars:{charge_id} of 101.40 RUB for 100 Stars credited"),
            (Place.MONEY, "101.40 RUB moved (payment)"),
        ]
        of_payment = await told(w, paid)
        assert_told_in_order(of_payment, milestones)
        assert places(of_payment) == {
            Place.INBOX,
            Place.PAYMENT,
            Place.MONEY,
            Place.OUTBOX,
            Place.EVENT,
        }
        assert not any("refund" in step.what for step in of_payment.steps)

        admin.send(f"/refund {charge_id} не понравилось")
        await w.settled(10)
        assert_told_in_order(
            await told(w, await cid_of_update(w, "message")),
            [
                (Place.INBOX, "message received"),
                (Place.ADMIN, f"refund of stars:{charge_id}, 101.40 RUB"),
                (Place.MONEY, "101.40 RUB held (refund)"),
            ],
        )
        gone = (Place.PAYMENT, f"stars:{charge_id} is refunded")
        assert_told_in_order(await told(w, paid), [*milestones, gone])

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
@pytest.mark.parametrize("kind", ["credit", "debit"])
def test_what_an_admin_did_is_told_with_the_reason(seed: int, kind: str) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(anna)
        await till_kit.starts(admin)
        admin.send(f"/{kind} {anna.user_id} 5 за долгое ожидание")
        await w.settled(5)
        of_deed = await told(w, await cid_of_update(w, "message"))
        assert_told_in_order(
            of_deed,
            [
                (Place.INBOX, "message received"),
                (Place.ADMIN, f"by telegram:{admin.user_id}: за долгое ожидание"),
                (Place.MONEY, f"5.00 RUB moved (admin_{kind})"),
            ],
        )
        [deed] = [step.what for step in of_deed.steps if step.place is Place.ADMIN]
        assert deed.startswith(f"{kind}, 5.00 RUB, user ")
        assert str(anna.user_id) not in deed

    kit.tell(story, seed, **WITH_ADMIN)


@kit.SEEDS
def test_an_admins_order_is_told_from_the_command_to_the_answer_of_the_other_shard(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        admin, user = till_kit.admin(w), users_of(w, 0)[0]  # the admin's own shard is the other
        await till_kit.starts(admin)
        await till_kit.starts(user)
        admin.send(f"/credit {user.user_id} 100 извините")
        await user.wait_message("100 ₽")
        await w.settled(5)
        number, cid = (await w.rows("SELECT update_id, cid FROM inbox WHERE update_id > 0"))[-1]
        tale = await told(w, Cid(cid))
        assert_told_in_order(
            tale,
            [
                (Place.INBOX, f"message received (update {number}, shard 1)"),
                (Place.EVENT, "ADMIN_ACTION kind=credit outcome=SentOn"),
                (Place.ADMIN, "by telegram:700000001: извините"),
                (Place.MONEY, "100.00 RUB moved (admin_credit)"),
                (Place.EVENT, "ADMIN_ACTION kind=credit outcome=Posted"),
            ],
        )
        received = [step.what for step in tale.steps if "received" in step.what]
        assert received[1:] == [f"sent_on received (update {number}, shard 0)"]

    kit.tell(story, seed, environment={"SHARDS": "2", "ADMIN_ID": str(till_kit.ADMIN_ID)})
