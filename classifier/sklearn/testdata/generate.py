"""Writes small synthetic models: forests of scikit-learn trained on random
numbers, in one folder for each version of it and protocol given.

    python generate.py PREFIX PROTOCOL…

makes PREFIX-protocol2/ and so on, each with attributes.p,
cluser_classifiers_6.p, minmaxscaler.p as the published model has them, and
expected.json: rows of inputs and the six scores that scikit-learn gives.
"""
import json
import os
import pickle
import sys

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import MinMaxScaler

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["spreader", "age", "burst", "age"]

rng = np.random.RandomState(7)
X = rng.normal(size=(60, len(NAMES))).astype(np.float32).astype(np.float64)
forests = []
for k in range(6):
    y = (X[:, k % 4] + rng.normal(size=60) > 0.3).astype(int)
    forests.append(RandomForestClassifier(
        n_estimators=2,
        max_depth=3,
        random_state=k,
        max_leaf_nodes=5 if k == 1 else None,  # grown best first: another order of nodes
        class_weight="balanced" if k == 2 else None,  # counts that are not whole
    ).fit(X, y))
scaler = MinMaxScaler().fit(X)

# Rows on and one float beside the thresholds.
rows = []
for k, forest in enumerate(forests):
    for tree in forest.estimators_:
        for f, t in zip(tree.tree_.feature, tree.tree_.threshold):
            if f >= 0:
                t32 = np.float32(t)
                for v in (t32, np.nextafter(t32, np.float32(9)), np.nextafter(t32, np.float32(-9))):
                    row = X[len(rows) % 60].copy()
                    row[f] = float(v)
                    rows.append(row)
rows = np.array(rows[::5])
scores = np.stack([f.predict_proba(rows)[:, 1] for f in forests], axis=1)

prefix, protocols = sys.argv[1], [int(p) for p in sys.argv[2:]]
for protocol in protocols:
    folder = os.path.join(HERE, f"{prefix}-protocol{protocol}")
    os.makedirs(folder, exist_ok=True)
    for name, value in (("attributes", NAMES), ("cluser_classifiers_6", forests), ("minmaxscaler", scaler)):
        with open(os.path.join(folder, name + ".p"), "wb") as f:
            f.write(pickle.dumps(value, protocol))
    with open(os.path.join(folder, "expected.json"), "w") as f:
        json.dump({"names": NAMES, "min": list(scaler.data_min_), "max": list(scaler.data_max_),
                   "rows": rows.tolist(), "scores": scores.tolist()}, f)
