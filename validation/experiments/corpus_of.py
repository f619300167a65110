"""The corpora that settings describe: one for each seed, plain and with the control."""

import numpy as np

from theory.facts import Fact
from validation.experiments import corpora
from validation.experiments.corpus import Corpus, with_control
from validation.experiments.fact_corpus import chain_fact_corpus, reversal_fact_corpus
from validation.experiments.settings import TrainSettings
from validation.fact_file import read_facts

PLAIN, CONTROL = "plain", "control"


def build_corpora(settings: TrainSettings) -> dict[str, list[Corpus]]:
    """For each condition one corpus a seed, all of one size. Raises FactFileError, TaskError or CorpusError."""
    facts = None if settings.facts is None else read_facts(settings.facts).facts
    plain = [_corpus(settings, facts, seed) for seed in settings.seed_numbers]
    found = {PLAIN: plain}
    if settings.controlled:
        found[CONTROL] = [
            with_control(corpus, np.random.default_rng([seed, 5]))
            for corpus, seed in zip(plain, settings.seed_numbers, strict=True)
        ]
    return found


def _corpus(settings: TrainSettings, facts: tuple[Fact, ...] | None, seed: int) -> Corpus:
    if facts is not None:
        assert settings.facts is not None
        name = settings.facts.name
        if settings.task == "chain-of-thought":
            return chain_fact_corpus(facts, name, settings.seed)  # one split: seeds train side by side
        return reversal_fact_corpus(facts, name, settings.controlled)
    size, entity = settings.tokens, settings.entity_tokens
    match settings.task:
        case "reversal":
            return corpora.reversal_corpus(size, entity, seed)
        case "chain-of-thought":
            return corpora.chain_corpus(size, entity, seed)
        case "in-context":
            return corpora.in_context_corpus(size, seed)
        case "related":
            return corpora.related_corpus(size, seed)
