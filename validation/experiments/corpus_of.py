"""The corpora that settings describe: one for each seed, plain and with the control."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from validation.experiments import corpora
from validation.experiments.corpus import Corpus, with_control
from validation.experiments.fact_corpus import chain_fact_corpus, reversal_fact_corpus
from validation.experiments.settings import TrainSettings
from validation.fact_file import read_facts

PLAIN, CONTROL = "plain", "control"


def build_corpora(settings: TrainSettings) -> dict[str, list[Corpus]]:
    """For each condition one corpus a seed, all of one size. Raises FactFileError, TaskError or CorpusError."""
    if settings.facts is None:
        plain = [_built_in(settings, seed) for seed in settings.seed_numbers]
    else:  # one corpus for every seed
        plain = [_of_facts(settings, settings.facts)] * settings.seeds
    found = {PLAIN: plain}
    if settings.controlled:
        found[CONTROL] = [
            with_control(corpus, np.random.default_rng([seed, 5]))
            for corpus, seed in zip(plain, settings.seed_numbers, strict=True)
        ]
    return found


def _of_facts(settings: TrainSettings, path: Path) -> Corpus:
    file = read_facts(path)
    if settings.task == "chain-of-thought":
        corpus = chain_fact_corpus(file.facts, path.name, settings.seed)
    else:
        corpus = reversal_fact_corpus(file.facts, path.name, settings.controlled)
    return replace(corpus, notes=(*file.notes, *corpus.notes))


def _built_in(settings: TrainSettings, seed: int) -> Corpus:
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
