// A page with Glean.js: it sends a ping with a metric of each type, and puts what Glean
// itself says of them into the title. Without ?tag= pings go by sendBeacon, with it by
// fetch.
import Glean from "@mozilla/glean/web"
import * as demo from "./gen/demo.js"
import { everyType } from "./gen/pings.js"

const query = new URLSearchParams(location.search)
if (query.get("tag")) {
  Glean.setDebugViewTag(query.get("tag"))
  Glean.setSourceTags(["automation"])
}
Glean.initialize("org.example.WebApp", true, { serverEndpoint: query.get("to"), channel: "release", appBuild: "7", appDisplayVersion: "7.1" })

demo.aBoolean.set(true)
demo.aCounter.add(3)
demo.aString.set("vanilla \"é\" \u{1f367}")
demo.aStringList.set(["a", "b"])
demo.aText.set("x".repeat(2000))
demo.aQuantity.set(8)
demo.aUuid.generateAndSet()
demo.aUrl.set("https://example.org/a?b=c")
demo.aDatetime.set()
demo.aTimespan.start()
demo.aTimespan.stop()
demo.aRate.addToNumerator(3)
demo.aRate.addToDenominator(10)
demo.aTiming.accumulateRawSamplesNanos([1000, 2000, 2000000])
demo.aMemory.accumulateSamples([10, 20, 1000])
demo.aCustom.accumulateSamples([1, 5, 5, 500, 2000])
demo.anEvent.record({ what: "file", n: 1 })
demo.labeledCounters["disk"].add(2)
everyType.submit()
document.title = "sent"
