"""What is no longer needed does not stay, and what is needed does."""

import pytest

from tests.stories import kit, till_kit
from tests.stories.till_kit import WITH_ADMIN
from trt.sandbox.kie_script import Never
from trt.testing.world import World

FOUR_DAYS_S = 4 * 86_400


@kit.SEEDS
def test_the_calls_of_old_jobs_go_and_those_of_a_running_one_stay(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        await kit.orders_picture(anna)
        await w.settled(60)
        await kit.orders_picture(anna)  # this one ended just now
        await w.settled(60)
        w.kie.script(Never())
        await kit.orders_picture(boris)
        await w.settled(5)
        old, _ = await kit.jobs_of(w, anna)
        await w.rows(
            "UPDATE jobs SET ended_at = ended_at - :by WHERE job_id = :job",
            by=FOUR_DAYS_S,
            job=old.job_id,
        )
        await w.rows("UPDATE job_attempts SET began_at = began_at - :by", by=FOUR_DAYS_S)
        before = await w.rows("SELECT job_id FROM job_attempts")
        await w.bot.stop()
        await w.start()
        await w.settled(5)
        after = await w.rows("SELECT job_id FROM job_attempts")
        assert set(before) - set(after) == {(old.job_id,)}
        assert len(after) == 2

    kit.tell(story, seed)


@pytest.mark.parametrize(("command", "left_kopecks"), [("credit", 11_050), ("debit", 8_950)])
@kit.SEEDS
def test_an_admins_command_that_comes_again_when_its_row_is_gone_moves_no_money(
    seed: int, command: str, left_kopecks: int
) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(anna)
        update_id = admin.send(f"/{command} {anna.user_id} 10,50 причина")
        told = await admin.wait_message("10,50 ₽")
        await w.rows("UPDATE inbox SET finished_at = finished_at - :by", by=FOUR_DAYS_S)
        await till_kit.restart(w)
        assert await w.rows("SELECT update_id FROM inbox") == []
        w.telegram.redeliver(update_id)
        await admin.wait_message("Уже сделано", after=told)
        assert await kit.inbox_state(w, update_id) == ("done", "SUCCESS")
        assert await till_kit.available(w, anna) == left_kopecks
        assert await w.rows("SELECT kind FROM admin_actions") == [(command,)]

    kit.tell(story, seed, **WITH_ADMIN)
