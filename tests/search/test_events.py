from kpalette.search.events import write_experiment, write_session
from kpalette.search.plan import make_plan
from kpalette.search.records import SearchRecord
from kpalette.search.space import STUDY, Dimension
from kpalette.training.logs import EventLog
from tests.conftest import load
from tests.search.test_published import runs

loader = load("tensorboard.backend.event_processing.event_accumulator")
metadata = load("tensorboard.plugins.hparams.metadata")


def read(folder):
    events = loader.EventAccumulator(str(folder))
    events.Reload()
    return events


def held(folder) -> dict[str, bytes]:
    return read(folder).PluginTagToContent("hparams")


def test_the_view_knows_what_is_varied(tmp_path):
    plan = make_plan({"seeds": 3, "space": (*STUDY, Dimension("clip", (), 0.5, 2.0)), "tuner": "random"})
    for _ in range(2):
        write_experiment(tmp_path, plan)
    assert len(list(tmp_path.iterdir())) == 1
    experiment = metadata.parse_experiment_plugin_data(held(tmp_path)[metadata.EXPERIMENT_TAG])
    found = {info.name: info for info in experiment.hparam_infos}
    assert list(found) == ["learning_rate", "batch_size", "shuffle", "clip", "seed"]
    assert [v.number_value for v in found["learning_rate"].domain_discrete.values] == [0.0002, 0.01]
    assert [v.bool_value for v in found["shuffle"].domain_discrete.values] == [False, True]
    assert found["clip"].domain_interval.max_value == 2.0
    assert experiment.metric_infos[0].name.tag == "val_mse"


def test_every_run_has_its_values_and_how_it_ended(tmp_path):
    good = runs(lambda *key: 0.25)[0]
    bad = SearchRecord("01", 2, good.values, 60, {}, "diverged")
    for record, status in ((good, 1), (bad, 2)):
        folder = tmp_path / record.name
        for _ in range(2):
            write_session(folder, record)
        tags = held(folder)
        start = metadata.parse_session_start_info_plugin_data(tags[metadata.SESSION_START_INFO_TAG])
        assert start.hparams["learning_rate"].number_value == record.values["learning_rate"]
        assert start.hparams["shuffle"].bool_value is record.values["shuffle"]
        assert start.hparams["seed"].number_value == record.seed
        assert metadata.parse_session_end_info_plugin_data(tags[metadata.SESSION_END_INFO_TAG]).status == status
    # A run of another machine has no curves here: its figures stand for them.
    assert [event.value for event in read(tmp_path / good.name).Scalars("val_mse")] == [0.25]
    assert read(tmp_path / bad.name).Tags()["scalars"] == []


def test_curves_that_are_there_stay_alone(tmp_path):
    log = EventLog(tmp_path)
    log.scalars({"val_mse": 0.5}, epoch=1)
    log.close()
    write_session(tmp_path, runs(lambda *key: 0.25)[0])
    assert [event.value for event in read(tmp_path).Scalars("val_mse")] == [0.5]
    assert metadata.SESSION_START_INFO_TAG in held(tmp_path)
