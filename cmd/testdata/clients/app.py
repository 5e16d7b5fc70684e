"""usage: app.py SERVER DATADIR

An application with Glean's Python SDK. It sends a ping with a metric of each type and
prints what Glean itself says of them, as JSON (these bindings know no text, url and rate); then a ping for each number that it reads.
"""
import datetime, json, sys, time
from pathlib import Path
from glean import Configuration, Glean, load_metrics, load_pings


def plain(value):
    """value as JSON has it; of a distribution sum and samples."""
    if hasattr(value, "values") and hasattr(value, "sum"):
        return {"sum": value.sum, "values": {str(k): v for k, v in value.values.items() if v}}
    if isinstance(value, dict):
        return {key: plain(of) for key, of in value.items()}
    return value


def main():
    here = Path(__file__).parent
    demo = load_metrics([here / "metrics.yaml", here / "metrics_python.yaml"]).demo
    pings = load_pings(here / "pings.yaml")
    Glean.initialize(
        application_id="org.example.Demo_App", application_version="1.2.3", application_build_id="20261128100000",
        upload_enabled=True, data_dir=Path(sys.argv[2]),
        configuration=Configuration(server_endpoint=sys.argv[1], channel="nightly"),
    )

    demo.a_boolean.set(True)
    demo.a_counter.add(3)
    demo.a_string.set('vanilla "é" \U0001f367')
    demo.a_string_list.set(["a", "b"])
    demo.a_quantity.set(8)
    demo.a_uuid.generate_and_set()
    now = datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=2)))
    demo.a_datetime.set(now)
    demo.a_timespan.start()
    time.sleep(0.01)
    demo.a_timespan.stop()
    for timing in demo.a_timing, demo.labeled_timings["disk"]:
        for i in range(5):
            timer = timing.start()
            time.sleep(0.002 * i)
            timing.stop_and_accumulate(timer)
    for memory in demo.a_memory, demo.labeled_memories["disk"]:
        for size in 10, 20, 1000, 50000:
            memory.accumulate(size)
    for custom in demo.a_custom, demo.labeled_customs["disk"]:
        custom.accumulate_samples([1, 5, 5, 500, 2000])
    for i in range(3):
        demo.an_event.record(demo.AnEventExtra(what="file", n=i))
    demo.an_object.set(json_object(demo))
    demo.labeled_counters["disk"].add(2)
    demo.labeled_counters["nonesuch"].add(5)
    demo.labeled_booleans["disk"].set(False)
    demo.labeled_strings["disk"].set("full")
    demo.labeled_quantities["disk"].set(7)

    said = {}
    for name in vars(demo):
        metric = getattr(demo, name)
        if name == "a_datetime":
            said[name] = now.isoformat(timespec="milliseconds")
        elif name == "a_timespan":
            said[name] = {"time_unit": "millisecond", "value": metric.test_get_value()}
        elif name == "an_event":
            said[name] = [{"name": e.name, "extra": e.extra} for e in metric.test_get_value()]
        elif name not in ("number", "a_text", "a_url", "a_rate") and hasattr(metric, "test_get_value"):
            said[name] = plain(metric.test_get_value())
    pings.every_type.submit()
    print(json.dumps(said, default=str), flush=True)

    for line in sys.stdin:
        demo.number.add(int(line))
        pings.numbered.submit()
    Glean.shutdown()


def json_object(demo):
    item = demo.AnObjectObjectItem
    return demo.AnObjectObject([item(name="a", size=1.5), item(name="b", size=2)])


if __name__ == "__main__":
    main()
