"""What a crawler does to accounts, by pymongo: follow.py URI EXAMPLE STAGE."""
import json
import sys
import uuid

import pymongo
from bson import Int64, ObjectId

uri, example, stage = sys.argv[1:]
client = pymongo.MongoClient(uri, uuidRepresentation="standard")
accounts = client.get_default_database().accounts
with open(example) as f:
    documents = list(json.load(f).values())

OBJECT, TEXT, LONG = ObjectId("65a000000000000000000001"), "a text", Int64(5)
UUID, DOCUMENT = uuid.UUID(int=7), {"platform": "twitter", "n": Int64(9)}
IDS = [OBJECT, TEXT, LONG, UUID, DOCUMENT]
INT, WHOLE, HALF, LARGE = 6, 8.0, 2.5, Int64(2**53 + 1)
NESTED = {"n": 9.0, "of": [1, Int64(2), 3.0]}


def like(n):
    return dict(documents[n])


if stage == "insert":
    accounts.insert_one(dict(like(0), _id=IDS[0]))
    accounts.insert_many([dict(like(n), _id=IDS[n]) for n in range(1, 5)])
    accounts.bulk_write([pymongo.InsertOne(dict(like(2), _id=i)) for i in (INT, WHOLE, HALF, LARGE, NESTED)])
elif stage == "change":
    accounts.update_one({"_id": OBJECT}, {"$set": {"tweets": []}})
    accounts.replace_one({"_id": UUID}, like(1))
    accounts.delete_one({"_id": TEXT})
    accounts.find_one_and_update({"_id": LONG}, {"$set": like(1)})
    accounts.bulk_write([
        pymongo.UpdateOne({"_id": INT}, [{"$set": {"tweets": []}}]),
        pymongo.ReplaceOne({"_id": WHOLE}, like(1)),
        pymongo.DeleteOne({"_id": HALF}),
        pymongo.UpdateOne({"_id": "new"}, {"$set": like(1)}, upsert=True),
    ], ordered=False)
    accounts.update_one({"_id": NESTED}, {"$unset": {"user_data": ""}})
elif stage == "again":
    accounts.insert_one(dict(like(2), _id=TEXT))
    accounts.find_one_and_delete({"_id": LARGE})
    accounts.delete_many({"_id": {"$in": [OBJECT, WHOLE]}})
    accounts.insert_one(dict(like(1), _id=OBJECT))
    accounts.insert_one(dict(like(1), _id=Int64(8)))  # what was a double before
    accounts.replace_one({"_id": NESTED}, like(2))
print("done")
