"""What an unmodified pymongo (3.11 and 4) must find in a server.

Usage: client.py URI. Every check that fails ends it with a traceback; the last
line is "done" and the version. It needs a replica set with test commands, as
mongotest is, and leaves nothing behind.
"""

import datetime
import re
import sys
import threading
import uuid

import bson
import pymongo
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

client = pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=10_000)
database = client.get_database(
    "client_py", codec_options=CodecOptions(uuid_representation=UuidRepresentation.STANDARD, tz_aware=True)
)


def fails(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except PyMongoError as e:
        assert e.code == code, (e.code, code, e)
        return e
    raise AssertionError("no error %d" % code)


def crud():
    """Insert, read, update, replace and delete under _ids of every type."""
    c = database.crud
    c.drop()
    when = datetime.datetime(2020, 5, 20, 9, 18, 42, 123000, tzinfo=datetime.timezone.utc)
    ids = [
        bson.MinKey(),
        None,
        -1,
        2.5,
        bson.Int64(2**53 + 1),
        bson.Decimal128("3.75"),
        "text",
        "",
        {"a": 1, "b": [1, 2]},
        {},
        b"\x00\x01",
        uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"),
        bson.ObjectId("5ec4f1a2b3c4d5e6f7081920"),
        False,
        True,
        when,
        bson.Timestamp(1590000000, 7),
        bson.Code("function() {}"),
        bson.MaxKey(),
    ]
    for i, id in enumerate(ids):
        assert c.insert_one({"_id": id, "n": i}).inserted_id == id
    assert c.count_documents({}) == len(ids)
    for i, id in enumerate(ids):
        assert c.find_one({"_id": {"$eq": id}})["n"] == i, id
        fails(11000, c.insert_one, {"_id": id})
        assert c.update_one({"_id": {"$eq": id}}, {"$inc": {"n": 100}, "$set": {"x.y": i}}).modified_count == 1
        assert c.replace_one({"_id": {"$eq": id}}, {"n": i, "replaced": True}).modified_count == 1
        found = c.find_one_and_update({"_id": {"$eq": id}}, {"$set": {"n": -i}}, return_document=True)
        assert found == {"_id": id, "n": -i, "replaced": True}, found
    # Equal numbers are one _id, whatever their type; False is no number.
    c.insert_one({"_id": 1})
    for same in (1.0, bson.Int64(1), bson.Decimal128("1")):
        fails(11000, c.insert_one, {"_id": same})
    # The order across types.
    ordered = [d["_id"] for d in c.find({"_id": {"$ne": 1}}).sort("_id", 1)]
    assert ordered == [
        ids[0], ids[1], ids[2], ids[3], ids[5], ids[4], ids[7], ids[6], ids[9], ids[8], ids[10], ids[11],
        ids[12], ids[13], ids[14], ids[15], ids[16], ids[17], ids[18],
    ], ordered
    # Comparisons stay within a type.
    assert [d["_id"] for d in c.find({"_id": {"$gt": "a"}})] == ["text"]
    fails(53, c.insert_one, {"_id": [1]})
    fails(66, c.update_one, {"_id": 1}, {"$set": {"_id": 2}})
    for id in ids:
        assert c.delete_one({"_id": {"$eq": id}}).deleted_count == 1
    assert c.delete_many({}).deleted_count == 1
    # Upserts.
    result = c.update_one({"_id": "new", "a.b": 1}, {"$set": {"c": 2}, "$setOnInsert": {"d": 3}}, upsert=True)
    assert result.upserted_id == "new" and c.find_one() == {"_id": "new", "a": {"b": 1}, "c": 2, "d": 3}
    assert "11000" in str(fails(11000, c.update_one, {"_id": "new", "c": 9}, {"$set": {"e": 1}}, upsert=True))
    # Arrays and projections.
    c.drop()
    c.insert_one({"_id": 1, "a": [{"x": 1, "y": 1}, {"y": 2}, 3, {"x": 3}], "t": "Text"})
    assert c.find_one({"a.x": 3}, {"_id": 0, "a.x": 1}) == {"a": [{"x": 1}, {}, {"x": 3}]}
    assert c.find_one({"a": {"$elemMatch": {"x": {"$gt": 1}}}}, {"a.$": 1}) == {"_id": 1, "a": [{"x": 3}]}
    assert c.find_one({"t": re.compile("^te", re.I)}, {"a": {"$slice": 1}, "t": 0}) == {"_id": 1, "a": [{"x": 1, "y": 1}]}
    c.update_one({"_id": 1}, {"$set": {"a.$[e].x": 9}}, array_filters=[{"e.x": {"$gte": 3}}])
    c.update_one({"_id": 1}, {"$push": {"a": {"$each": [5, 4], "$position": 0, "$slice": 3}}})
    assert c.find_one()["a"] == [5, 4, {"x": 1, "y": 1}]
    c.update_one({"_id": 1}, [{"$set": {"n": {"$size": "$a"}}}, {"$unset": "t"}])
    assert c.find_one() == {"_id": 1, "a": [5, 4, {"x": 1, "y": 1}], "n": 3}


def bulk():
    """Bulk writes report each error, ordered or not."""
    c = database.bulk
    c.drop()
    writes = [
        pymongo.InsertOne({"_id": 1}),
        pymongo.InsertOne({"_id": 1}),
        pymongo.UpdateOne({"_id": 2}, {"$set": {"x": 1}}, upsert=True),
        pymongo.ReplaceOne({"_id": 1}, {"y": 1}),
        pymongo.DeleteMany({"_id": 3}),
    ]
    for ordered, (inserted, upserted, modified) in ((True, (1, 0, 0)), (False, (1, 1, 1))):
        c.delete_many({})
        try:
            c.bulk_write(writes, ordered=ordered)
            raise AssertionError("no error")
        except BulkWriteError as e:
            d = e.details
            assert (d["nInserted"], d["nUpserted"], d["nModified"]) == (inserted, upserted, modified), d
            assert [(w["index"], w["code"], w["keyPattern"]) for w in d["writeErrors"]] == [(1, 11000, {"_id": 1})], d
    try:
        c.insert_many([{"_id": i % 1500} for i in range(2000)], ordered=False)
        raise AssertionError("no error")
    except BulkWriteError as e:
        assert len(e.details["writeErrors"]) == 502, len(e.details["writeErrors"])
        assert c.count_documents({}) == 1500
    if pymongo.version_tuple >= (4, 9) and client.server_info()["versionArray"][0] >= 8:
        result = client.bulk_write([
            pymongo.InsertOne({"_id": "a"}, namespace="client_py.bulk"),
            pymongo.UpdateOne({"_id": "a"}, {"$set": {"x": 1}}, namespace="client_py.bulk"),
        ])
        assert (result.inserted_count, result.modified_count) == (1, 1)


def indexes():
    """Unique, partial and TTL indexes."""
    c = database.indexes
    c.drop()
    c.insert_many([{"_id": i, "u": i, "p": 1, "s": i % 2} for i in range(4)])
    assert c.create_index("u", unique=True) == "u_1"
    c.create_index("p", unique=True, name="partial", partialFilterExpression={"s": {"$gt": 1}})
    c.create_index([("when", 1)], expireAfterSeconds=60)
    e = fails(11000, c.insert_one, {"_id": 9, "u": 3})
    assert e.details["keyPattern"] == {"u": 1} and e.details["keyValue"] == {"u": 3}, e.details
    c.insert_one({"_id": 5, "u": 5, "p": 1, "s": 2})
    fails(11000, c.insert_one, {"_id": 6, "u": 6, "p": 1, "s": 2})
    fails(11000, c.create_index, "s", unique=True)
    info = c.index_information()
    assert set(info) == {"_id_", "u_1", "partial", "when_1"} and info["when_1"]["expireAfterSeconds"] == 60, info
    assert [d["_id"] for d in c.find({}, hint="u_1").sort("u", -1)] == [5, 3, 2, 1, 0]
    assert [d["u"] for d in c.find().hint("u_1").min([("u", 1)]).max([("u", 3)])] == [1, 2]
    fails(85, c.create_index, "u", name="other", unique=True)
    fails(86, c.create_index, "s", name="u_1")
    c.drop_index("u_1")
    fails(27, c.drop_index, "u_1")
    assert len(list(c.list_indexes())) == 3


def aggregation():
    """Pipelines over several batches, and look-ups."""
    c = database.aggregation
    c.drop()
    c.insert_many([{"_id": i, "k": i % 3, "v": float(i), "tags": ["a", "b"][: i % 3]} for i in range(1000)])
    out = list(c.aggregate([
        {"$match": {"_id": {"$gte": 1}}},
        {"$group": {"_id": "$k", "n": {"$sum": 1}, "mean": {"$avg": "$v"}, "most": {"$max": "$v"}}},
        {"$sort": {"_id": 1}},
    ]))
    assert [(d["_id"], d["n"], d["most"]) for d in out] == [(0, 333, 999.0), (1, 333, 997.0), (2, 333, 998.0)], out
    assert len(list(c.aggregate([{"$unwind": "$tags"}], batchSize=7))) == 333 + 2 * 333
    joined = list(c.aggregate([
        {"$match": {"_id": {"$lt": 2}}},
        {"$lookup": {"from": "aggregation", "localField": "_id", "foreignField": "k", "as": "of"}},
        {"$project": {"n": {"$size": "$of"}, "even": {"$cond": [{"$eq": [{"$mod": ["$_id", 2]}, 0]}, "yes", "no"]}}},
    ]))
    assert joined == [{"_id": 0, "n": 334, "even": "yes"}, {"_id": 1, "n": 333, "even": "no"}], joined
    assert len(list(c.aggregate([{"$sample": {"size": 5}}]))) == 5
    assert sorted(c.distinct("tags", {"_id": {"$lt": 3}})) == ["a", "b"]
    list(c.aggregate([{"$match": {"_id": {"$lt": 2}}}, {"$out": "aggregation_out"}]))
    assert database.aggregation_out.count_documents({}) == 2
    fails(40324, c.aggregate, [{"$nothing": {}}])


def stream():
    """A change stream goes on where it was when its connection is cut."""
    c = database.stream
    c.drop()
    with c.watch(full_document="updateLookup", max_await_time_ms=200) as events:
        seen = []
        for i in range(30):
            if i % 10 == 5:
                client.admin.command(
                    "configureFailPoint", "failCommand", mode={"times": 1},
                    data={"failCommands": ["getMore"], "closeConnection": True},
                )
            c.insert_one({"_id": i})
            if i % 3 == 0:
                c.update_one({"_id": i}, {"$set": {"x": i}})
            if i % 3 == 1:
                c.delete_one({"_id": i})
            for _ in range(1 if i % 3 == 2 else 2):
                e = next(events)
                seen.append((e["operationType"], e["documentKey"]["_id"]))
                if e["operationType"] == "update":
                    assert e["updateDescription"]["updatedFields"] == {"x": i}
                    assert e["fullDocument"] == {"_id": i, "x": i}
        want = []
        for i in range(30):
            want.append(("insert", i))
            want += [[("update", i)], [("delete", i)], []][i % 3]
        assert seen == want, seen
        before = events.resume_token
        database.other.insert_one({})
        assert events.try_next() is None and events.resume_token != before, "no post-batch token"
    # An update whose document is gone has none.
    with c.watch(full_document="updateLookup") as events:
        c.insert_one({"_id": "gone"})
        c.update_one({"_id": "gone"}, {"$set": {"x": 1}})
        c.delete_one({"_id": "gone"})
        kinds = [next(events) for _ in range(3)]
        assert kinds[1]["operationType"] == "update" and kinds[1]["fullDocument"] is None, kinds[1]


def invalidate():
    """After an invalidate a stream is opened again with startAfter alone."""
    c = database.invalidate
    c.drop()
    c.insert_one({"_id": 1})
    with c.watch() as events:
        c.drop()
        kinds = []
        try:
            while events.alive:
                e = events.next()
                kinds.append(e["operationType"])
                token = e["_id"]
        except StopIteration:
            pass
        assert kinds == ["drop", "invalidate"], kinds
    fails(260, c.watch, resume_after=token)
    c.insert_one({"_id": 2})
    with c.watch(start_after=token) as events:
        assert next(events)["documentKey"] == {"_id": 2}
    # A thread that waits is woken by the event itself.
    with c.watch(max_await_time_ms=10_000) as events:
        timer = threading.Timer(0.2, c.insert_one, ({"_id": 3},))
        timer.start()
        began = datetime.datetime.now()
        assert next(events)["documentKey"] == {"_id": 3}
        assert (datetime.datetime.now() - began).total_seconds() < 5
        timer.join()


for check in (crud, bulk, indexes, aggregation, stream, invalidate):
    check()
client.drop_database("client_py")
assert "client_py" not in client.list_database_names()
client.close()
print("done", pymongo.version)
