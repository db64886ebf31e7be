// What an unmodified mongosh must find in a server. The last line is "done".
const assert = (ok, what) => { if (!ok) throw new Error("not so: " + what); };
db = db.getSiblingDB("client_js");
db.dropDatabase();
db.t.insertMany([{ _id: 1, a: 5 }, { _id: 2, a: 7 }]);
assert(db.t.find({ a: { $gt: 5 } }).toArray().length === 1, "find");
assert(db.t.aggregate([{ $group: { _id: null, sum: { $sum: "$a" } } }]).toArray()[0].sum === 12, "aggregate");
assert(db.t.getIndexes()[0].name === "_id_", "getIndexes");
assert(db.getCollectionNames().join() === "t", "getCollectionNames");
assert(rs.status().myState === 1, "rs.status");
const stream = db.t.watch();
db.t.updateOne({ _id: 1 }, { $set: { b: 1 } });
assert(stream.next().updateDescription.updatedFields.b === 1, "watch");
stream.close();
try {
  db.t.insertOne({ _id: 1 });
  assert(false, "a duplicate key");
} catch (e) {
  assert(e.code === 11000, e);
}
assert(db.t.drop() && db.dropDatabase().ok === 1, "drop");
print("done", db.version());
