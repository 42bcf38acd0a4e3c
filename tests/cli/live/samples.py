"""Two looks at workers that are busy, a second apart."""

from typing import Any

from tlsmgr.cli.live.figures import METHODS, Look

NOW = 1_800_000_000.0
_BOUNDS = (0.00005, 0.0001, 0.001, 0.01)


def look(*, at: float, requests: int, prng: str = "good") -> Look:
    """Return what the workers say after so many requests of each kind."""
    return Look(
        at=at,
        stats={
            "cache-server": _cache_server(requests),
            "prng-server": {
                **_identity("prng-server"),
                "source": "dev:/dev/urandom",
                "source_state": prng,
                "source_alarms": 0 if prng == "good" else 3,
                "pool": {"reseeds": 27},
                "connections": {"rpc": {"open": 3}},
            },
            "expiry-sweeper": {**_identity("expiry-sweeper"), "connections": {"rpc": {"open": 1}}},
        },
        keys=[
            _key(0xED74E44CF02F1157, "current", 1200),
            _key(0x9AA79BD7A72661DB, "previous", -600),
        ],
    )


def busy() -> tuple[Look, Look]:
    """Return two looks, between which 400 requests of each kind came."""
    return look(at=10.0, requests=1000), look(at=11.0, requests=1400)


def _identity(name: str) -> dict[str, Any]:
    return {"name": name, "pid": len(name), "version": "1.0.0", "uptime": 93784.5}


def _cache_server(requests: int) -> dict[str, Any]:
    answers = {"ok": requests, "not_done": 0, "failed": 0}
    seconds = {"bounds": list(_BOUNDS), "counts": [requests, requests // 4, 9, 1, 0]}
    return {
        **_identity("cache-server"),
        "caches": {
            "smtpd": _cache(requests, entries=520_000),
            "smtp": _cache(requests // 3, entries=930_000, evictions=12),
            "lmtp": {**_cache(0, entries=0), "hits": 0, "misses": 0},
        },
        "requests": {
            "postfix": {method: {"answers": answers, "seconds": seconds} for method in METHODS},
            "rpc": {"stats": {"answers": {"ok": requests}}},
        },
        "seeds": {"pool": requests, "kernel": 0},
        "connections": {"postfix": {"open": 122}, "rpc": {"open": 2}},
    }


def _cache(requests: int, *, entries: int, evictions: int = 0) -> dict[str, Any]:
    return {
        "enabled": True,
        "hits": requests * 4,
        "misses": requests,
        "updates": requests,
        "entries": entries,
        "entry_limit": 1_000_000,
        "bytes": entries * 620,
        "size_limit": 2**30,
        "evictions": evictions,
    }


def _key(name: int, state: str, left: int) -> dict[str, Any]:
    until = int(NOW) + left
    return {
        "name": name.to_bytes(8, "big") * 2,
        "state": state,
        "encrypts_until": until,
        "decrypts_until": until + 1800,
    }
