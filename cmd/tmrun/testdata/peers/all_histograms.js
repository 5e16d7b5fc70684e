// All histograms of all pings, by channel, as a table: the job all_histograms of node.mjs.
import { histograms } from "tables"
export const all = histograms("channel", "histogram")
export function map(id, dims, ping) {
  all.addEach(dims.appUpdateChannel, ping.histograms)
}
