"""The methods that Nominal knows. A new method adds its folder and one line here."""

from __future__ import annotations

from importlib import import_module

from core.errors import ConfigError
from core.pipelines.base import Pipeline

_PIPELINES = {
    "sca": "core.pipelines.sca.pipeline:ScaPipeline",
    "iaenet": "core.pipelines.iaenet.pipeline:IaenetPipeline",
    "cmdr_iad": "core.pipelines.cmdr_iad.pipeline:CmdrIadPipeline",
    "cmdr_iad_strips": "core.pipelines.cmdr_iad.strips.pipeline:StripsPipeline",
    "dus_net": "core.pipelines.dus_net.pipeline:DusNetPipeline",
    "btf": "core.pipelines.btf.pipeline:BtfPipeline",
    "deviation": "core.pipelines.deviation.pipeline:DeviationPipeline",
}


def pipeline_ids() -> tuple[str, ...]:
    """The ids of all methods, the papers' first, then the references."""
    return tuple(_PIPELINES)


def general_ids() -> tuple[str, ...]:
    """The ids of the methods for parts of every kind: without those that need points in the order of measuring."""
    return tuple(pipeline_id for pipeline_id in _PIPELINES if not pipeline_class(pipeline_id).ordered)


def pipeline_class(pipeline_id: str) -> type[Pipeline]:
    """The class of a method, imported only now so that unused ones cost nothing.

    Raises
    ------
    ConfigError
        If there is no such method.
    """
    if pipeline_id not in _PIPELINES:
        raise ConfigError(f"There is no pipeline {pipeline_id!r}", f"Choose one of {', '.join(_PIPELINES)}")
    module, name = _PIPELINES[pipeline_id].split(":")
    found: type[Pipeline] = getattr(import_module(module), name)
    return found
