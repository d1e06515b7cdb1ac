#!/usr/bin/env python3
"""Makes Tests/Fixtures/tiny: a very small GPT-2 with everything that it must compute.

    scripts/make_fixture.py                writes Tests/Fixtures/tiny
    scripts/make_fixture.py --check DIR    recomputes a case and compares it with its expected.safetensors

Needs numpy only. The model is written here by hand in numpy, in float64, independently of the Swift code, so
that the two can judge each other. `fp32_max_error.*` says how far the same numpy code run in float32 is from
float64 (numpy's float32 stands where other cases have PyTorch's).

What is written (all little-endian):
  case.json            sizes of the model and of the batch
  model.bin            llm.c checkpoint: 256 int32 of header (20240326, version 3, max T, V, L, NH, C, Vp, 0...),
                       then the sixteen tensors in order, float32; wte has Vp rows, of which Vp - V are zero
  model_v1.bin         version 1: header without Vp, wte has V rows
  model_bf16.bin       version 5: as version 3, every value rounded to the nearest bfloat16 (ties to even)
  hf/                  Hugging Face config.json and model.safetensors; Conv1D weights are stored [in, out]
  tokens_i32.bin       steps*B*T + 1 tokens, int32
  tokens_u16.bin       256 int32 of header (20240520, version 1, count, 0...), then the tokens, uint16
  debug_state.bin      256 int32 of header (20240327, version 2, B, T, 0...), inputs (B,T), targets (B,T) int32,
                       logits (B,T,V), loss (1), then the sixteen gradients float32, wte's with Vp rows
  expected.safetensors logits, loss, grad.* of the first batch; losses of `steps` steps of AdamW over successive
                       batches, each before its update; bf16_weights.logits and .loss: the first batch with the
                       weights of model_bf16.bin; scalars and losses float64, the others float32
"""
import argparse
import json
import pathlib
import struct

import numpy as np

CASE = dict(layers=2, heads=2, channels=12, vocab=29, max_seq=16, batch=2, seq=11, steps=10, seed=4)
LAYERED = ["ln1w", "ln1b", "qkvw", "qkvb", "attprojw", "attprojb", "ln2w", "ln2b", "fcw", "fcb", "fcprojw", "fcprojb"]
NAMES = ["wte", "wpe", *LAYERED, "lnfw", "lnfb"]
OPTIMIZER = dict(lr=1e-4, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.01)


def shapes(case, rows):
    L, C = case["layers"], case["channels"]
    return dict(
        wte=(rows, C), wpe=(case["max_seq"], C), ln1w=(L, C), ln1b=(L, C), qkvw=(L, 3 * C, C), qkvb=(L, 3 * C),
        attprojw=(L, C, C), attprojb=(L, C), ln2w=(L, C), ln2b=(L, C), fcw=(L, 4 * C, C), fcb=(L, 4 * C),
        fcprojw=(L, C, 4 * C), fcprojb=(L, C), lnfw=(C,), lnfb=(C,))


def padded(case):
    return (case["vocab"] + 127) // 128 * 128


# ---- the model; a cache `keep` carries what the backward pass needs

def norm(x, w, b):
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + x.dtype.type(1e-5))
    hat = (x - mean) * rstd
    return hat * w + b, (hat, rstd)


def norm_back(dy, w, kept):
    hat, rstd = kept
    g = dy * w
    dx = rstd * (g - g.mean(-1, keepdims=True) - hat * (g * hat).mean(-1, keepdims=True))
    return dx, (dy * hat).sum((0, 1)), dy.sum((0, 1))


def linear_back(dy, x, w):
    return dy @ w, np.einsum("btn,btk->nk", dy, x), dy.sum((0, 1))


def gelu(x):
    s = x.dtype.type(np.sqrt(2 / np.pi))
    t = np.tanh(s * (x + x.dtype.type(0.044715) * x ** 3))
    half, three = x.dtype.type(0.5), x.dtype.type(3 * 0.044715)
    return half * x * (1 + t), half * (1 + t) + half * x * (1 - t * t) * s * (1 + three * x * x)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def split_heads(x, heads):
    B, T, C = x.shape
    return x.reshape(B, T, heads, C // heads).transpose(0, 2, 1, 3)


def join_heads(x):
    B, H, T, S = x.shape
    return x.transpose(0, 2, 1, 3).reshape(B, T, H * S)


def block(x, p, heads):
    n1, k1 = norm(x, p["ln1w"], p["ln1b"])
    q, k, v = (split_heads(part, heads) for part in np.split(n1 @ p["qkvw"].T + p["qkvb"], 3, -1))
    scale = x.dtype.type(1 / np.sqrt(q.shape[-1]))
    T = x.shape[1]
    scores = np.where(np.tril(np.ones((T, T), bool)), q @ k.transpose(0, 1, 3, 2) * scale, x.dtype.type(-np.inf))
    att = softmax(scores)
    y = join_heads(att @ v)
    h = x + (y @ p["attprojw"].T + p["attprojb"])
    n2, k2 = norm(h, p["ln2w"], p["ln2b"])
    a, slope = gelu(n2 @ p["fcw"].T + p["fcb"])
    return h + (a @ p["fcprojw"].T + p["fcprojb"]), (n1, k1, q, k, v, scale, att, y, n2, k2, a, slope)


def block_back(dout, p, heads, kept):
    n1, k1, q, k, v, scale, att, y, n2, k2, a, slope = kept
    g = {}
    da, g["fcprojw"], g["fcprojb"] = linear_back(dout, a, p["fcprojw"])
    dn2, g["fcw"], g["fcb"] = linear_back(da * slope, n2, p["fcw"])
    dh, g["ln2w"], g["ln2b"] = norm_back(dn2, p["ln2w"], k2)
    dh = dh + dout
    dy, g["attprojw"], g["attprojb"] = linear_back(dh, y, p["attprojw"])
    dy = split_heads(dy, heads)
    datt = dy @ v.transpose(0, 1, 3, 2)
    dscores = att * (datt - (att * datt).sum(-1, keepdims=True)) * scale
    parts = (dscores @ k, dscores.transpose(0, 1, 3, 2) @ q, att.transpose(0, 1, 3, 2) @ dy)
    dn1, g["qkvw"], g["qkvb"] = linear_back(np.concatenate([join_heads(d) for d in parts], -1), n1, p["qkvw"])
    dx, g["ln1w"], g["ln1b"] = norm_back(dn1, p["ln1w"], k1)
    return dx + dh, g


def run(p, case, inputs, targets):
    """Logits, loss and gradients of one batch, in the type of the parameters."""
    L, heads = case["layers"], case["heads"]
    layer = lambda l: {n: p[n][l] for n in LAYERED}
    x = p["wte"][inputs] + p["wpe"][:inputs.shape[1]]
    kept = []
    for l in range(L):
        x, k = block(x, layer(l), heads)
        kept.append(k)
    f, kf = norm(x, p["lnfw"], p["lnfb"])
    logits = f @ p["wte"].T
    top = logits.max(-1, keepdims=True)
    picked = np.take_along_axis(logits, targets[..., None], -1)
    loss = (np.log(np.exp(logits - top).sum(-1, keepdims=True)) - (picked - top)).mean()
    onehot = (np.arange(logits.shape[-1]) == targets[..., None]).astype(logits.dtype)
    dlogits = (softmax(logits) - onehot) / logits.dtype.type(inputs.size)
    g = {n: np.zeros_like(p[n]) for n in NAMES}
    dx, g["wte"], _ = linear_back(dlogits, f, p["wte"])
    dx, g["lnfw"], g["lnfb"] = norm_back(dx, p["lnfw"], kf)
    for l in reversed(range(L)):
        dx, gl = block_back(dx, layer(l), heads, kept[l])
        for n in LAYERED:
            g[n][l] = gl[n]
    np.add.at(g["wte"], inputs, dx)
    g["wpe"][:inputs.shape[1]] += dx.sum(0)
    return logits, loss, g


def train(p, case, tokens):
    """The losses of training; step s sees the s-th batch of the tokens."""
    B, T = case["batch"], case["seq"]
    kind = p["wte"].dtype.type
    b1, b2 = OPTIMIZER["beta1"], OPTIMIZER["beta2"]
    lr, eps, wd = (kind(OPTIMIZER[k]) for k in ("lr", "eps", "decay"))
    p = {n: v.copy() for n, v in p.items()}
    m, v = ({n: np.zeros_like(p[n]) for n in NAMES} for _ in range(2))
    losses = []
    for s in range(case["steps"]):
        _, loss, g = run(p, case, *batch(tokens, case, s))
        losses.append(float(loss))
        for n in NAMES:
            # The coefficients are Python's float64, so that 1 - beta2 loses no digits in the float32 run.
            m[n] = kind(b1) * m[n] + kind(1 - b1) * g[n]
            v[n] = kind(b2) * v[n] + kind(1 - b2) * g[n] * g[n]
            mhat, vhat = m[n] / kind(1 - b1 ** (s + 1)), v[n] / kind(1 - b2 ** (s + 1))
            p[n] = p[n] - lr * (mhat / (np.sqrt(vhat) + eps) + wd * p[n])
    assert p["wte"].dtype.type is kind, "float32 must stay float32"
    return np.array(losses)


def batch(tokens, case, step):
    B, T = case["batch"], case["seq"]
    start = step * B * T
    cut = lambda at: tokens[at:at + B * T].reshape(B, T).astype(np.int64)
    return cut(start), cut(start + 1)


def expected(p, case, tokens):
    """Every tensor of expected.safetensors, as float64."""
    out, errors = {}, {}
    for kind in (np.float64, np.float32):
        q = {n: v.astype(kind) for n, v in p.items()}
        logits, loss, grads = run(q, case, *batch(tokens, case, 0))
        values = {"logits": logits, "loss": np.array([loss]), "losses": train(q, case, tokens)}
        values.update({"grad." + n: g for n, g in grads.items()})
        if kind is np.float64:
            out = values
        else:
            errors = {"fp32_max_error." + n: np.array([np.abs(v.astype(np.float64) - out[n]).max()])
                      for n, v in values.items()}
    q = {n: (bfloat16(v).astype(np.uint32) << 16).view(np.float32).astype(np.float64) for n, v in p.items()}
    logits, loss, _ = run(q, case, *batch(tokens, case, 0))
    return {**out, **errors, "bf16_weights.logits": logits, "bf16_weights.loss": np.array([loss])}


# ---- the files

def bfloat16(x):
    bits = x.astype("<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def pad(p, case):
    """The sixteen tensors in order, wte with zero rows up to Vp."""
    extra = np.zeros((padded(case) - case["vocab"], case["channels"]), p["wte"].dtype)
    return [np.concatenate([p["wte"], extra])] + [p[n] for n in NAMES[1:]]


def header(*fields):
    return struct.pack("<256i", *fields, *([0] * (256 - len(fields))))


def flat(tensors):
    return np.concatenate([t.ravel() for t in tensors])


def safetensors(tensors, metadata=None):
    """8-byte length, JSON of names, types, shapes and offsets padded with spaces to 8 bytes, data.

    Wider types come first, so that each tensor is aligned to its type."""
    entries, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name in sorted(tensors, key=lambda n: (-tensors[n].itemsize, n)):
        raw = np.ascontiguousarray(tensors[name]).tobytes()
        kind = {"float64": "F64", "float32": "F32"}[tensors[name].dtype.name]
        entries[name] = dict(dtype=kind, shape=list(tensors[name].shape), data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def hugging_face(p, case):
    tensors = {"wte.weight": p["wte"], "wpe.weight": p["wpe"], "ln_f.weight": p["lnfw"], "ln_f.bias": p["lnfb"]}
    for l in range(case["layers"]):
        for ours, theirs, turn in (("ln1", "ln_1", 0), ("qkv", "attn.c_attn", 1), ("attproj", "attn.c_proj", 1),
                                   ("ln2", "ln_2", 0), ("fc", "mlp.c_fc", 1), ("fcproj", "mlp.c_proj", 1)):
            w = p[ours + "w"][l]
            tensors[f"h.{l}.{theirs}.weight"] = w.T if turn else w
            tensors[f"h.{l}.{theirs}.bias"] = p[ours + "b"][l]
    config = dict(
        model_type="gpt2", architectures=["GPT2LMHeadModel"], activation_function="gelu_new",
        n_positions=case["max_seq"], n_ctx=case["max_seq"], n_embd=case["channels"], n_layer=case["layers"],
        n_head=case["heads"], vocab_size=case["vocab"], layer_norm_epsilon=1e-5, tie_word_embeddings=True,
        torch_dtype="float32")
    return json.dumps(config, indent=1), safetensors({"transformer." + n: t for n, t in tensors.items()}, {"format": "pt"})


def write(folder, p, case, tokens):
    (folder / "hf").mkdir(parents=True, exist_ok=True)
    sizes = [case[k] for k in ("max_seq", "vocab", "layers", "heads", "channels")]
    values = expected(p, case, tokens)
    save = lambda name, content: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    save("case.json", json.dumps(case, indent=1) + "\n")
    save("model.bin", header(20240326, 3, *sizes, padded(case)) + flat(pad(p, case)).tobytes())
    save("model_v1.bin", header(20240326, 1, *sizes) + flat([p[n] for n in NAMES]).tobytes())
    save("model_bf16.bin", header(20240326, 5, *sizes, padded(case)) + bfloat16(flat(pad(p, case))).tobytes())
    config, weights = hugging_face(p, case)
    save("hf/config.json", config + "\n")
    save("hf/model.safetensors", weights)
    save("tokens_i32.bin", tokens.astype("<i4").tobytes())
    save("tokens_u16.bin", header(20240520, 1, tokens.size) + tokens.astype("<u2").tobytes())
    inputs, targets = batch(tokens, case, 0)
    grads = pad({n: values["grad." + n] for n in NAMES}, case)
    floats = flat([values["logits"], values["loss"], *grads]).astype("<f4")
    save("debug_state.bin", header(20240327, 2, case["batch"], case["seq"]) + inputs.astype("<i4").tobytes()
         + targets.astype("<i4").tobytes() + floats.tobytes())
    wide = lambda n: n.startswith("fp32_max_error.") or n.endswith("loss") or n == "losses"
    save("expected.safetensors", safetensors({n: v.astype("<f8" if wide(n) else "<f4") for n, v in values.items()}))


def make():
    case = CASE
    random = np.random.Generator(np.random.PCG64(case["seed"]))
    p = {}
    for n, shape in shapes(case, case["vocab"]).items():
        # Larger than GPT-2's own 0.02: with so few channels every path must still carry a visible signal.
        scale = {"wte": 0.3, "wpe": 0.1}.get(n, 0.1 if len(shape) < 3 else 0.25)
        p[n] = ((n in ("ln1w", "ln2w", "lnfw")) + scale * random.standard_normal(shape)).astype("<f4")
    count = case["steps"] * case["batch"] * case["seq"] + 1
    # Squaring makes small tokens frequent and leaves some unseen, as in text.
    tokens = (random.random(count) ** 2 * case["vocab"]).astype("<i4")
    return p, case, tokens


def check(folder):
    case = json.loads((folder / "case.json").read_text())
    raw = np.frombuffer((folder / "model_v1.bin").read_bytes(), "<f4", offset=1024)
    p, at = {}, 0
    for n, shape in shapes(case, case["vocab"]).items():
        p[n], at = raw[at:at + np.prod(shape)].reshape(shape), at + np.prod(shape)
    tokens = np.frombuffer((folder / "tokens_i32.bin").read_bytes(), "<i4")
    content = (folder / "expected.safetensors").read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    worst = 0.0
    values = expected(p, case, tokens)
    for n, entry in json.loads(content[8:8 + length]).items():
        if n == "__metadata__" or n.startswith("fp32_max_error."):
            continue
        a, b = (8 + length + o for o in entry["data_offsets"])
        stored = np.frombuffer(content[a:b], "<f8" if entry["dtype"] == "F64" else "<f4").reshape(entry["shape"])
        # A float32 holds its value to 2^-24; a float64 need only agree to the noise of other summation orders.
        bound = 2.0 ** -24 if entry["dtype"] == "F32" else 1e-13
        worst = max(worst, np.abs(stored - values[n]).max() / (bound * np.abs(values[n]).max()))
    print(f"{folder}: largest difference is {worst:.3f} of its bound")
    return worst <= 1.001


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=pathlib.Path, metavar="DIR")
    arguments = parser.parse_args()
    if arguments.check:
        raise SystemExit(0 if check(arguments.check) else 1)
    write(pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/tiny", *make())
