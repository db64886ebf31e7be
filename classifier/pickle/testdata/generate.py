"""Writes accounts-*.p and plain-*.p: synthetic values in every protocol.

Needs pymongo for bson. The names say the protocol.
"""
import collections
import datetime as dt
import os
import pickle

from bson.int64 import Int64
from bson.tz_util import FixedOffset, utc

HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, value):
    for protocol in range(6):
        with open(os.path.join(HERE, f"{name}-{protocol}.p"), "wb") as f:
            f.write(pickle.dumps(value, protocol))


def tweet(at, **more):
    return {
        "created_at": at,
        "lang": "en",
        "in_reply_to_status_id": None,
        "retweet_count": Int64(3),
        "favorite_count": 4,
        "entities": {"user_mentions": [{"id": 2**70}], "hashtags": []},
        "text": "größer \U0001f600 \\ 'x' \"y\"\n",
        **more,
    }


def account(zone, name):
    return {
        "user_data": {
            "created_at": dt.datetime(2015, 1, 2, 3, 4, 5, tzinfo=zone),
            "followers_count": Int64(2**40),
            "statuses_count": 12.0,
            "verified": False,
            "url": None,
            "location": "Växjö",
            "screen_name": name,
            "id": 2**63 + 1,
        },
        "tweets": [
            tweet(dt.datetime(2020, 5, 20, 9, 18, 42, 123456, tzinfo=zone)),
            tweet(dt.datetime(2020, 5, 20, 9, 18, 43, tzinfo=zone), retweeted_status={}),
        ],
        "crawled_at": "2020-05-20 09:18:42",
    }


east = dt.timezone(dt.timedelta(hours=5, minutes=30))
write("accounts", {
    "naive": account(None, "a"),
    7: account(dt.timezone.utc, "b"),
    Int64(8): account(utc, "c"),
    2**64: account(east, "d"),
    b"bytes": account(FixedOffset(330, "east"), "e"),
    None: account(None, "f"),
    "broken": [],
    "last": account(None, "h"),
})
shared = [1, 2]
write("plain", [
    None, True, False, 0, -1, 255, 256, 65535, 65536, -2**31, 2**31, -2**63, 2**63 - 1, 2**63, -2**70, 10**40,
    0.1, -0.0, float("inf"), "", "text", "größer", "\U0001f600\\u0041\n\r\x00\x1a", "\\\\u0041", "x" * 300,
    b"", b"bytes", b"\xff\x00" * 200, bytearray(b"ba\xff"), (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], shared,
    shared, {}, {"k": "v", 1: [2.5]}, set(), {1}, frozenset(["f"]), collections.OrderedDict([("o", 1), ("p", 2)]),
])
