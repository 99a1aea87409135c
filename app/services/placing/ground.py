"""What the rooms of placing stand on. Knows ports and functions handed in by the builders; nothing of its own."""

from collections.abc import Callable
from dataclasses import dataclass

from app.core.layout.placement import Placement
from app.core.layout.profiles import Profile
from app.ports.compression import Compressor
from app.ports.devices import DeviceStore
from app.ports.erasure import ErasureCodec
from app.ports.suspects import Suspects
from app.runtime.offload import Offload


@dataclass(frozen=True, slots=True)
class Ground:
    """`placement`: the newest known. `device`: of a number in it, Unavailable for one it cannot reach; cheap, asked
    for each fragment. `codec`: of (k, m). `near`: whether a device is this node's own. `up`: whether the managers think
    its node is up; a hint only. `now_s`: seconds of a clock that never jumps."""

    placement: Callable[[], Placement]
    device: Callable[[int], DeviceStore]
    codec: Callable[[int, int], ErasureCodec]
    compressor: Compressor
    suspects: Suspects
    offload: Offload
    now_s: Callable[[], float]
    near: Callable[[int], bool] = lambda number: False
    up: Callable[[int], bool] = lambda number: True

    def codec_of(self, profile: Profile) -> ErasureCodec | None:
        """The codec of an erasure profile, None for copies."""
        return self.codec(profile.data, profile.parity) if profile.erasure else None
