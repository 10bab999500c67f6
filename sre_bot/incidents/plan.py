"""What a person is asked to approve, in full: sealed with the call, stored with it, and never made anew for showing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Way:
    """A call that takes an approved change back."""

    tool: str
    arguments: Mapping[str, Any]
    file_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of one call.

    Attributes:
        summary: what happens, in one line.
        diff: unified diff of the file that changes; empty where none does.
        affects: the blast radius: services, and how they are reached.
        rollback: the way back, in words.
        way_back: the same as a call; None where a person has to find it.
        check: what will prove that it worked.
        watch: services whose figures are compared before and after.
        preview: what is published or sent, whole; empty where nothing is.
        sealed: what code adds to the model's arguments, by the names of the tool's keyword-only parameters.
    """

    summary: str
    diff: str = ""
    affects: Sequence[str] = ()
    rollback: str = ""
    way_back: Way | None = None
    check: str = ""
    watch: Sequence[str] = ()
    preview: str = ""
    sealed: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read a stored plan back; an approval of before plans has none."""
        if not stored:
            return cls(summary="")
        way = stored.get("way_back")
        return cls(**{**stored, "way_back": Way(**way) if way else None})


NO_PLAN = Plan(summary="")
