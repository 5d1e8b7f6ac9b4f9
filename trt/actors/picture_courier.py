"""PictureCourier: takes users' pictures from Telegram to KIE's file service, and nowhere else."""

from collections.abc import Mapping
from typing import Final, assert_never

import trio
from attrs import field, frozen

from trt.domain.ids import JobId
from trt.domain.inputs import FileId
from trt.domain.pictures import BYTES_MAX, SUFFIXES
from trt.domain.reasons import Reason
from trt.kie.client import KIEClient
from trt.kie.errors import KIEUnavailable
from trt.kie.outcomes import Uploaded, UploadRefused
from trt.kie.result_files import content_type_of
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable
from trt.telegram.outcomes import FileFlaw, RateLimited, Rejected, UserFile

AT_ONCE_MAX: Final = 4
"""Pictures in hand at a time: each may take 20 MB of memory."""
FOLDER: Final = "inputs"


@frozen
class Carried:
    """KIE has them all, for 24 hours; their addresses by the names of their parameters."""

    addresses: Mapping[str, str] = field(repr=False)


@frozen(kw_only=True)
class Spoiled:
    """One of them will never get there."""

    reason: Reason
    detail: str
    """For the operator only."""


@frozen(kw_only=True)
class NotNow:
    """Telegram or KIE has a bad moment; carrying them again does no harm."""

    why: str
    retry_after_s: float | None = None


@frozen(kw_only=True)
class PictureCourier:
    """Holds no picture longer than it takes to hand it on."""

    telegram: TelegramClient
    kie: KIEClient
    _hands: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(AT_ONCE_MAX))

    async def carry(
        self, job_id: JobId, pictures: Mapping[str, FileId]
    ) -> Carried | Spoiled | NotNow:
        """Hand all pictures of a job to KIE.

        A picture has the same name each time it is carried, so that a second try replaces the
        first; other jobs' pictures have other names.
        """
        addresses: dict[str, str] = {}
        for param_name, file_id in pictures.items():
            async with self._hands:
                outcome = await self._carry_one(f"{job_id}-{param_name}", file_id)
            if not isinstance(outcome, str):
                return outcome
            addresses[param_name] = outcome
        return Carried(addresses)

    async def _carry_one(self, stem: str, file_id: FileId) -> str | Spoiled | NotNow:
        try:
            file = await self.telegram.download(file_id, BYTES_MAX)
            match file:
                case UserFile(data=data):
                    return await self._hand_over(stem, data)
                case RateLimited(retry_after_s=retry_after_s):
                    return NotNow(why="getFile: too often", retry_after_s=retry_after_s)
                case Rejected(description=description, flaw=flaw):
                    is_too_big = flaw is FileFlaw.TOO_BIG
                    reason = Reason.PICTURE_TOO_BIG if is_too_big else Reason.PICTURE_GONE
                    return Spoiled(reason=reason, detail=description)
                case _:
                    assert_never(file)
        except KIEUnavailable as unavailable:
            return NotNow(why=str(unavailable), retry_after_s=unavailable.retry_after_s)
        except (TelegramUnavailable, TelegramUnauthorized) as unavailable:
            return NotNow(why=str(unavailable))

    async def _hand_over(self, stem: str, data: bytes) -> str | Spoiled:
        content_type = content_type_of(data, "") or "unknown"
        suffix = SUFFIXES.get(content_type)
        if suffix is None:
            return Spoiled(reason=Reason.PICTURE_UNFIT, detail=f"its type is {content_type}")
        outcome = await self.kie.upload(data, f"{stem}.{suffix}", content_type, FOLDER)
        match outcome:
            case Uploaded(url=url):
                return url
            case UploadRefused(reason=reason, code=code, detail=detail):
                return Spoiled(reason=reason, detail=f"upload: {code} {detail}")
            case _:
                assert_never(outcome)
