"""Makes the small ONNX files that the model server's tests load. Needs examples/digits/requirements.txt."""

from pathlib import Path

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

FOLDER = Path(__file__).parent


def save(name, nodes, inputs, outputs, initializers=()):
    graph = h.make_graph(nodes, name, inputs, outputs, initializers)
    opsets = [h.make_opsetid("", 17), h.make_opsetid("com.microsoft", 1)]
    model = h.make_model(graph, ir_version=9, opset_imports=opsets)
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def value(name, datatype, shape):
    return h.make_tensor_value_info(name, datatype, shape)


# Every datatype goes in and comes out again.
types = {
    "BOOL": T.BOOL, "UINT8": T.UINT8, "UINT16": T.UINT16, "UINT32": T.UINT32, "UINT64": T.UINT64,
    "INT8": T.INT8, "INT16": T.INT16, "INT32": T.INT32, "INT64": T.INT64,
    "FP16": T.FLOAT16, "FP32": T.FLOAT, "FP64": T.DOUBLE, "BYTES": T.STRING,
}  # fmt: skip
save(
    "identity",
    [h.make_node("Identity", [f"in_{t}"], [f"out_{t}"]) for t in types],
    [value(f"in_{t}", onnx_type, ["n"]) for t, onnx_type in types.items()],
    [value(f"out_{t}", onnx_type, ["n"]) for t, onnx_type in types.items()],
)

# Takes as long as it is told: `steps` matrix products.
body = h.make_graph(
    [
        h.make_node("MatMul", ["state", "matrix"], ["next"]),
        h.make_node("Identity", ["go"], ["go_on"]),
    ],
    "body",
    [value("step", T.INT64, []), value("go", T.BOOL, []), value("state", T.FLOAT, [64, 64])],
    [value("go_on", T.BOOL, []), value("next", T.FLOAT, [64, 64])],
)
save(
    "slow",
    [
        h.make_node("Loop", ["steps", "", "matrix"], ["last"], body=body),
        h.make_node("ReduceSum", ["last"], ["sum"], keepdims=0),
    ],
    [value("steps", T.INT64, [])],
    [value("sum", T.FLOAT, [])],
    [numpy_helper.from_array(np.eye(64, dtype=np.float32), "matrix")],
)

# Declares less than it demands: fails on every shape but those of four elements.
save(
    "picky",
    [h.make_node("Reshape", ["four", "shape"], ["reshaped"])],
    [value("shape", T.INT64, ["rank"])],
    [value("reshaped", T.FLOAT, None)],
    [numpy_helper.from_array(np.arange(4, dtype=np.float32), "four")],
)

# What cannot be served.
save("bfloat16", [h.make_node("Identity", ["x"], ["y"])], [value("x", T.BFLOAT16, ["n"])], [value("y", T.BFLOAT16, ["n"])])
save(
    "sequence",
    [h.make_node("SequenceConstruct", ["x"], ["s"])],
    [value("x", T.FLOAT, ["n"])],
    [h.make_tensor_sequence_value_info("s", T.FLOAT, ["n"])],
)
elsewhere = numpy_helper.from_array(np.zeros(4, np.float32), "w")
elsewhere.ClearField("raw_data")
elsewhere.data_location = T.EXTERNAL
elsewhere.external_data.add(key="location", value="weights.bin")
save("external", [h.make_node("Add", ["x", "w"], ["y"])], [value("x", T.FLOAT, [4])], [value("y", T.FLOAT, [4])], [elsewhere])
branch = h.make_graph(
    [h.make_node("Constant", [], ["c"], value=elsewhere)], "branch", [], [value("c", T.FLOAT, [4])]
)
save(
    "external-nested",
    [h.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)],
    [value("x", T.BOOL, [])],
    [value("y", T.FLOAT, [4])],
)
save(
    "engine",
    [h.make_node("EPContext", ["x"], ["y"], domain="com.microsoft", ep_cache_context="/tmp/engine", embed_mode=0)],
    [value("x", T.FLOAT, [4])],
    [value("y", T.FLOAT, [4])],
)
