"""The transformer with a seed axis against one model at a time, against torch's attention and against GPT-2."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from validation.experiments.model import (
    INITIAL_DEVIATION,
    SHORT,
    SeededNorm,
    Shape,
    Transformer,
    attention,
    gelu,
    rotations,
    turned,
)

# Sums of up to a hundred O(1) products in single precision: 100 * 6e-8. Kernels differ in the order of their sums.
ROUNDING = 1e-5

BASE: dict[str, Any] = {"vocabulary": 11, "length": 6, "layers": 2, "heads": 2, "width": 8}
SHAPES = {
    "absolute": Shape(**BASE),
    "rotary": Shape(**BASE, positions="rotary"),
    "none": Shape(**BASE, positions="none"),
    "tied": Shape(**BASE, tied=True),
    "short": Shape(**{**BASE, "length": 3, "layers": 3}),
    "frozen": Shape(**BASE, frozen=True),
}
EVERY = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def drawn(shape: Shape, seeds: range = range(3), deviation: float = 0.3) -> Transformer:
    """A model with weights of O(1) everywhere, norms and biases too, so that every part of it matters.

    A seed's weights depend on the seed alone.
    """
    model = Transformer(shape, seeds)
    for place, seed in enumerate(seeds):
        generator = torch.Generator().manual_seed(1000 + seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter[place] += deviation * torch.randn(parameter[place].shape, generator=generator)
    return model


def tokens(shape: Shape, seeds: int = 3, batch: int = 4, length: int | None = None) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(shape.vocabulary, (seeds, batch, length or shape.length), generator=generator)


def gradients(model: Transformer, sentences: Tensor) -> dict[str, Tensor]:
    """Of the summed -log p of token 1 at the last position."""
    model.zero_grad()
    (-model(sentences, 1).log_softmax(-1)[..., 1]).sum().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


# -- the seed axis --


@EVERY
def test_models_side_by_side_equal_each_alone(shape: Shape) -> None:
    """Logits and gradients of seed s among three are those of s alone: the same sums in another order of kernels."""
    together, sentences = drawn(shape), tokens(shape)
    logits, slopes = together(sentences, shape.length), gradients(together, sentences)
    assert logits.shape == (3, 4, shape.length, shape.vocabulary)
    assert (logits[0] - logits[1]).abs().max() > 0.1
    for s in range(3):
        alone = drawn(shape, range(s, s + 1))
        torch.testing.assert_close(alone(sentences[s : s + 1], shape.length)[0], logits[s], rtol=0, atol=ROUNDING)
        own = gradients(alone, sentences[s : s + 1])
        assert own.keys() == slopes.keys()
        for name, slope in own.items():
            torch.testing.assert_close(slope[0], slopes[name][s], rtol=0, atol=10 * ROUNDING)


def test_a_seed_is_one_model_in_any_company() -> None:
    """Seed 7 alone, among others, and again has the same bytes, and other seeds have others."""
    alone, among = Transformer(SHAPES["absolute"], range(7, 8)), Transformer(SHAPES["absolute"], range(6, 9))
    matrices = 0
    for (name, one), (_, other) in zip(alone.named_parameters(), among.named_parameters(), strict=True):
        assert torch.equal(one[0], other[1])
        if other.dim() == 3:
            matrices += 1
            assert not torch.equal(other[0], other[1]), name
    assert matrices == 3 + 2 * 5  # embedding, positions, head; five in each block


def test_a_seed_reads_no_other_seeds_sentences() -> None:
    """New sentences of seed 1 leave the logits of seeds 0 and 2 exactly as they are."""
    shape = SHAPES["absolute"]
    model, sentences = drawn(shape), tokens(shape)
    changed = sentences.clone()
    changed[1] = (changed[1] + 1) % shape.vocabulary
    before, after = model(sentences, 2), model(changed, 2)
    assert torch.equal(before[[0, 2]], after[[0, 2]])
    assert not torch.equal(before[1], after[1])


# -- positions and order --


@EVERY
@pytest.mark.parametrize("last", [1, 2])
def test_logits_of_the_last_positions_are_those_of_all(shape: Shape, last: int) -> None:
    """Asked for the last positions alone, the model says there what it says when asked for all."""
    model, sentences = drawn(shape), tokens(shape)
    whole = model(sentences, shape.length)
    torch.testing.assert_close(model(sentences, last), whole[:, :, -last:], rtol=0, atol=ROUNDING)


@EVERY
def test_no_position_sees_a_later_token(shape: Shape) -> None:
    """Changing token t leaves the logits before t as they are and changes those from t on; shorter inputs agree too."""
    model, sentences = drawn(shape), tokens(shape)
    before = model(sentences, shape.length)
    for t in range(1, shape.length):
        changed = sentences.clone()
        changed[:, :, t] = (changed[:, :, t] + 1) % shape.vocabulary
        after = model(changed, shape.length)
        torch.testing.assert_close(after[:, :, :t], before[:, :, :t], rtol=0, atol=ROUNDING)
        assert ((after - before)[:, :, t:].abs().amax(dim=(0, 1, 3)) > 0.01).all()
        torch.testing.assert_close(model(sentences[:, :, :t], t), before[:, :, :t], rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("positions", ["none", "absolute", "rotary"])
def test_one_layer_without_positions_reads_a_set(positions: str) -> None:
    """Permuting earlier tokens leaves the last logits of one layer unchanged exactly where there are no positions."""
    shape = Shape(**{**BASE, "layers": 1}, positions=positions)
    model, sentences = drawn(shape), tokens(shape)
    order = torch.tensor([3, 0, 4, 1, 2, 5])
    difference = (model(sentences, 1) - model(sentences[:, :, order], 1)).abs().max().item()
    assert (difference < ROUNDING) == (positions == "none")
    assert difference < ROUNDING or difference > 100 * ROUNDING


def test_two_layers_without_positions_read_an_order() -> None:
    """The mask tells two layers the order of tokens, without positions too."""
    model, sentences = drawn(SHAPES["none"]), tokens(SHAPES["none"])
    order = torch.tensor([3, 0, 4, 1, 2, 5])
    assert (model(sentences, 1) - model(sentences[:, :, order], 1)).abs().max() > 100 * ROUNDING


def test_rotary_scores_depend_on_the_distance_alone() -> None:
    """<turned q at i, turned k at j> is the same for all i - j, and is <q, k> at distance zero."""
    size, length = 8, 10
    query, key = torch.randn(2, size, generator=torch.Generator().manual_seed(1))
    turn = rotations(length, size)
    scores = turned(query.expand(length, size), turn) @ turned(key.expand(length, size), turn).T  # (i, j)
    by_distance = [scores.diagonal(offset) for offset in range(1 - length, length)]
    for diagonal in by_distance:
        # angles of up to ten radians in single precision, eight products of O(1)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=10 * ROUNDING)
    assert scores[0, 0].item() == pytest.approx(float(query @ key), abs=ROUNDING)
    assert torch.stack([d[0] for d in by_distance]).std() > 0.1
    assert torch.equal(turn[0], torch.tensor([1.0, 0.0]).expand(size // 2, 2))
    assert turn[1, -1, 1].item() == pytest.approx(math.sin(10_000 ** (-6 / 8)), abs=1e-7)


@pytest.mark.parametrize("length", range(1, SHORT + 1))
@pytest.mark.parametrize("last", range(1, SHORT + 1))
def test_attention_by_hand_is_torchs(length: int, last: int) -> None:
    """Over a few tokens, attention written out equals torch's with the last rows of a causal mask, gradient and all."""
    if last > length:
        last = length
    generator = torch.Generator().manual_seed(2)
    shapes = [(5, n, 2, 6) for n in (last, length, length)]  # two heads of six numbers
    ours = [torch.randn(s, generator=generator).requires_grad_() for s in shapes]
    theirs = [x.detach().clone().requires_grad_() for x in ours]
    mask = torch.ones(length, length, dtype=torch.bool).tril()[length - last :]
    by_hand = attention(*ours, dropout=0.0)
    heads_first = (x.transpose(1, 2) for x in theirs)
    kernel = functional.scaled_dot_product_attention(*heads_first, attn_mask=mask).transpose(1, 2)
    torch.testing.assert_close(by_hand, kernel, rtol=0, atol=ROUNDING)
    for result in (by_hand, kernel):
        result.square().sum().backward()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=10 * ROUNDING)


def test_long_attention_is_that_of_the_formula() -> None:
    """Beyond a few tokens, softmax(q k / sqrt(size)) v over the tokens up to each position, in plain sums."""
    length, last, size = SHORT + 3, 2, 6
    generator = torch.Generator().manual_seed(3)
    query, key, value = (torch.randn(n, size, generator=generator) for n in (last, length, length))
    mixed = attention(*(x[None, :, None] for x in (query, key, value)), dropout=0.0)[0, :, 0]
    for place, position in enumerate(range(length - last, length)):
        share = (key[: position + 1] @ query[place] / math.sqrt(size)).softmax(0)
        torch.testing.assert_close(mixed[place], share @ value[: position + 1], rtol=0, atol=ROUNDING)


# -- parts --


def test_gelu_by_way_of_the_sigmoid_is_torchs() -> None:
    """The same function to the rounding of doubles, far out too, and the gradient is its derivative."""
    x = torch.cat([torch.linspace(-30, 30, 601, dtype=torch.double), torch.tensor([-1e3, 1e3])]).requires_grad_()
    torch.testing.assert_close(gelu(x), functional.gelu(x, approximate="tanh"), rtol=0, atol=1e-14)
    (ours,) = torch.autograd.grad(gelu(x).sum(), x)
    (theirs,) = torch.autograd.grad(functional.gelu(x, approximate="tanh").sum(), x)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)
    assert torch.autograd.gradcheck(gelu, (torch.linspace(-3, 3, 25, dtype=torch.double).requires_grad_(),))


@pytest.mark.parametrize("seeds", [1, 3])
def test_norms_are_those_of_torch(seeds: int) -> None:
    """A norm with a seed axis equals nn.LayerNorm with that seed's gain and shift, in its one-kernel form too."""
    ours = SeededNorm(seeds, 8)
    x = 3 * torch.randn(seeds, 5, 8, generator=torch.Generator().manual_seed(4)) + 1
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5))
    for s in range(seeds):
        reference = nn.LayerNorm(8, eps=1e-5)
        reference.load_state_dict({"weight": ours.weight[s], "bias": ours.bias[s]})
        torch.testing.assert_close(ours(x)[s], reference(x[s]), rtol=0, atol=ROUNDING)


def test_a_tied_head_is_the_embedding() -> None:
    """There is one table, and its gradient is that of an untied embedding plus that of an untied head like it."""
    tied, sentences = drawn(SHAPES["tied"]), tokens(SHAPES["tied"])
    assert tied.unembedding.data_ptr() == tied.embedding.data_ptr()
    untied = Transformer(SHAPES["absolute"], range(3))
    state = tied.state_dict() | {"head": tied.embedding.transpose(1, 2)}
    untied.load_state_dict(state)
    torch.testing.assert_close(tied(sentences, 2), untied(sentences, 2), rtol=0, atol=ROUNDING)
    of_tied, of_untied = gradients(tied, sentences), gradients(untied, sentences)
    for part in ("embedding", "head"):
        assert of_untied[part].abs().max() > 0.1
    # sums of a dozen contributions of O(1)
    both = of_untied["embedding"] + of_untied["head"].transpose(1, 2)
    torch.testing.assert_close(of_tied["embedding"], both, rtol=0, atol=ROUNDING)
    assert "head" not in of_tied


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_frozen_tables_stay(optimizer: type[torch.optim.Optimizer], tied: bool) -> None:
    """A training step with weight decay moves everything but embedding and head of a frozen model."""
    model = drawn(Shape(**BASE, frozen=True, tied=tied))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    steps = optimizer([p for p in model.parameters() if p.requires_grad], lr=0.1, weight_decay=0.1)
    gradients(model, tokens(model.shape))
    steps.step()
    unmoved = {name for name, p in model.named_parameters() if torch.equal(p, before[name])}
    assert unmoved == ({"embedding"} if tied else {"embedding", "head"})


@EVERY
def test_the_parameter_count_is_right(shape: Shape) -> None:
    """The stated number is that of the numbers in one model's tensors."""
    model = Transformer(shape, range(2))
    assert sum(p.numel() for p in model.parameters()) == 2 * shape.parameters


def test_initial_weights_have_the_deviation_of_gpt_2() -> None:
    """Matrices have mean 0 and deviation 0.02, projections back 0.02 / sqrt(2 layers), within six standard errors."""
    shape = Shape(vocabulary=50, length=20, layers=8, heads=4, width=32)
    for name, parameter in Transformer(shape, range(2)).named_parameters():
        x = parameter.detach().double()
        if name.endswith("bias"):
            assert not x.any(), name
        elif "norm" in name:
            assert (x == 1).all(), name
        else:
            back = any(part in name for part in ("attention_out", "down"))
            deviation = INITIAL_DEVIATION / 4 if back else INITIAL_DEVIATION
            assert abs(x.std() / deviation - 1) < 6 / math.sqrt(2 * x.numel()), name
            assert abs(x.mean()) < 6 * deviation / math.sqrt(x.numel()), name


def test_dropout_is_of_training_alone() -> None:
    """With dropout, two passes differ in training and agree in eval mode, where they equal those without it."""
    shape = Shape(**BASE, dropout=0.5)
    model, plain, sentences = drawn(shape), drawn(SHAPES["absolute"]), tokens(shape)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.train()
        assert (model(sentences, 1) - model(sentences, 1)).abs().max() > 0.1
        model.eval()
        assert torch.equal(model(sentences, 1), model(sentences, 1))
    torch.testing.assert_close(model(sentences, 1), plain(sentences, 1), rtol=0, atol=0)


@pytest.mark.parametrize("silent", ["attention_out", "down", "both"])
def test_dropout_is_on_embeddings_and_on_both_parts_of_a_block(silent: str) -> None:
    """Embedding, attention and perceptron drop out each: with the others silent, passes in training still differ."""
    model = drawn(Shape(**{**BASE, "layers": 1}, dropout=0.5)).train()
    sentences = tokens(model.shape)
    with torch.no_grad():
        for part in ("attention_out", "down"):
            for parameter in getattr(model.blocks[0], part).parameters():
                parameter *= silent not in (part, "both")
        if silent != "both":  # nor the embedding: what is left is the other part's
            model.embedding.zero_()
            model.position.zero_()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert (model(sentences, 1) - model(sentences, 1)).abs().max() > 0.01


def test_impossible_shapes_are_refused() -> None:
    """Heads must divide the width, and rotary positions need heads of even size; absolute ones do not."""
    with pytest.raises(ValueError, match="3 heads do not divide a width of 8"):
        Shape(**{**BASE, "heads": 3})
    with pytest.raises(ValueError, match="a head of 3 is odd"):
        Shape(**{**BASE, "width": 6}, positions="rotary")
    assert (
        Transformer(Shape(**{**BASE, "width": 6}), range(1))(torch.zeros(1, 1, 6, dtype=torch.long), 1).shape[-1] == 11
    )


# -- GPT-2 --


def copy_gpt2(source: nn.Module, target: Transformer) -> None:
    """Put the weights of a GPT2LMHeadModel into a Transformer of one seed; its Conv1D weights are (inputs, outputs)."""
    theirs, d = dict(source.named_parameters()), target.shape.width
    mine: dict[str, Tensor] = {
        "embedding": theirs["transformer.wte.weight"],
        "position": theirs["transformer.wpe.weight"],
    }
    if target.head is not None:
        mine["head"] = theirs["lm_head.weight"].T
    places = {"norm_attention": "ln_1", "norm_perceptron": "ln_2", "attention_out": "attn.c_proj"}
    places |= {"up": "mlp.c_fc", "down": "mlp.c_proj"}
    for end in ("weight", "bias"):
        mine[f"norm.{end}"] = theirs[f"transformer.ln_f.{end}"]
        for n in range(target.shape.layers):
            here, there = f"blocks.{n}", f"transformer.h.{n}"
            mine |= {f"{here}.{name}.{end}": theirs[f"{there}.{place}.{end}"] for name, place in places.items()}
            query, key_value = theirs[f"{there}.attn.c_attn.{end}"].split([d, 2 * d], dim=-1)
            mine |= {f"{here}.query.{end}": query, f"{here}.key_value.{end}": key_value}
    assert mine.keys() == dict(target.named_parameters()).keys()
    assert sum(p.numel() for p in mine.values()) == sum(p.numel() for p in theirs.values())
    with torch.no_grad():
        for name, parameter in target.named_parameters():
            parameter.copy_(mine[name][None])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_logits_are_those_of_gpt_2(tied: bool, training: bool) -> None:
    """With the weights of a transformers GPT-2 of two layers, every logit is that model's to 1e-5."""
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        vocab_size=50, n_positions=9, n_embd=24, n_layer=2, n_head=3, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        bos_token_id=0, eos_token_id=0, pad_token_id=0, tie_word_embeddings=tied,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = transformers.GPT2LMHeadModel(config).train(training)
        with torch.no_grad():  # its weights of 0.02 say nearly nothing
            for parameter in theirs.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
    ours = Transformer(Shape(50, 9, 2, 3, 24, tied=tied), range(1)).train(training)
    copy_gpt2(theirs, ours)
    sentences = tokens(ours.shape, seeds=1, batch=6)
    for length in (3, 9):  # attention by hand and by kernel
        expected = theirs(input_ids=sentences[0, :, :length]).logits
        assert expected.std() > 0.5
        for last in (1, length):
            torch.testing.assert_close(ours(sentences[:, :, :length], last)[0], expected[:, -last:], rtol=0, atol=1e-5)
