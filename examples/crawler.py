"""Writes crawled accounts to MongoDB, where botwatch follows them: one a line,
{"_id": …, "user_data": {…}, "tweets": […], "crawled_at": "…"}, or where one is
gone {"_id": …, "gone": true}. Needs pymongo 3.11 or newer.
    python3 crawler.py mongodb://HOST/DATABASE [FILE]"""
import datetime, json, sys, time
import pymongo, pymongo.errors

FORMATS = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%a %b %d %H:%M:%S %z %Y"

def dates(obj):  # makes BSON dates of the times in it; botwatch reads others as text
    for name in ("created_at", "crawled_at"):
        for form in FORMATS if isinstance(obj.get(name), str) else ():
            try:
                obj[name] = datetime.datetime.strptime(obj[name], form)
                break
            except ValueError:
                pass
    return obj

def request(account):
    key = {"_id": account["_id"]}
    return pymongo.DeleteOne(key) if account.get("gone") else pymongo.ReplaceOne(key, account, upsert=True)

def write(accounts, requests):  # until a majority has it: to write twice changes nothing
    wait = 1
    while True:
        try:
            return accounts.bulk_write(requests)  # in order: of one account the last line holds
        except (pymongo.errors.ConnectionFailure, pymongo.errors.BulkWriteError) as err:
            if isinstance(err, pymongo.errors.BulkWriteError) and err.details["writeErrors"]:
                raise
            print("trying again in %d s: %s" % (wait, err), file=sys.stderr)
        time.sleep(wait)
        wait = min(2 * wait, 60)

client = pymongo.MongoClient(sys.argv[1], w="majority", wtimeoutMS=10000, socketTimeoutMS=30000, retryWrites=True)
lines = open(sys.argv[2], encoding="utf-8") if len(sys.argv) > 2 else sys.stdin
while batch := [json.loads(line, object_hook=dates) for _, line in zip(range(100), lines)]:
    write(client.get_default_database()["accounts"], [request(account) for account in batch])
