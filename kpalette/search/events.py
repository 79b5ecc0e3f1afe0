"""TensorBoard's HParams view of a search: the options of each run beside its figures."""

import time
from pathlib import Path
from typing import Any

from kpalette.search.plan import SearchPlan
from kpalette.search.records import FIGURES, SearchRecord
from kpalette.search.space import Dimension
from kpalette.training.logs import EventLog

_SUFFIX = ".hparams"


def write_experiment(folder: Path, plan: SearchPlan) -> None:
    """Writes the columns of the view, once.

    Args:
        folder: folder of the event file; the runs' folders lie in it.
        plan: plan of the search.
    """
    summary_v2 = _plugin(folder)
    if summary_v2 is None:
        return
    hparams = [summary_v2.HParam(d.name, _domain(d, summary_v2)) for d in (*plan.space, _seeds(plan))]
    metrics = [summary_v2.Metric(f"val_{name}", display_name=name) for name in FIGURES]
    _write(folder, [summary_v2.hparams_config_pb(hparams, metrics)])


def write_session(folder: Path, record: SearchRecord) -> None:
    """Writes a run's options and how it ended, once, beside the curves that the run wrote.

    Args:
        folder: folder of the run's events. If the run was on another machine, its figures are written too.
        record: record of the run.
    """
    summary_v2 = _plugin(folder)
    if summary_v2 is None:
        return
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    values = {**record.values, "seed": record.seed}
    status = api_pb2.STATUS_FAILURE if record.failed else api_pb2.STATUS_SUCCESS
    began = time.time() - record.seconds
    start = summary_v2.hparams_pb(values, trial_id=record.name, start_time_secs=began)
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=end))
    last = type(start)()
    last.value.add(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
    known = any(folder.glob("events.*"))
    _write(folder, [start, last])
    if not known and record.figures:
        log = EventLog(folder)
        log.scalars({f"val_{name}": value for name, value in record.figures.items()}, epoch=1)
        log.close()


def _plugin(folder: Path) -> Any:
    """TensorBoard's module for hyperparameters; None if it is missing or the folder has such events already."""
    if any(folder.glob(f"events.*{_SUFFIX}")):
        return None
    try:
        from tensorboard.plugins.hparams import summary_v2
    except ImportError:
        return None
    return summary_v2


def _seeds(plan: SearchPlan) -> Dimension:
    return Dimension("seed", tuple(range(plan.seeds)))


def _domain(dimension: Dimension, summary: Any) -> Any:
    if dimension.values:
        return summary.Discrete(list(dimension.values))
    if dimension.whole:
        return summary.IntInterval(int(dimension.low), int(dimension.high))
    return summary.RealInterval(float(dimension.low), float(dimension.high))


def _write(folder: Path, summaries: list[Any]) -> None:
    log = EventLog(folder, suffix=_SUFFIX)
    for summary in summaries:
        log.add(summary)
    log.close()
