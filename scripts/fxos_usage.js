// Firefox OS devices that reported for the first time: their hardware, their place,
// and the time until the report.
//
// Output (CSV): submission date, OS, software, hours from activation to ping,
// screen width, height, pixel ratio, locale, hardware, model, firmware revision,
// channel, the SIM card's mnc, mcc, name, the network's mnc, mcc, operator, country.

const or = (object, name) => (object && object[name]) || "unknown"

export function map(id, dims, ping, ctx) {
  if (!ping["deviceinfo.os"] && !ping.activationTime) return
  const { pingTime, activationTime, icc, network, info } = ping
  const hours = pingTime && activationTime ? Math.round((pingTime - activationTime) / 3600000) : "unknown"
  ctx.write(id, [
    dims.submission_date,
    or(ping, "deviceinfo.os"), or(ping, "deviceinfo.software"), hours,
    or(ping, "screenWidth"), or(ping, "screenHeight"), or(ping, "devicePixelRatio"), or(ping, "locale"),
    or(ping, "deviceinfo.hardware"), or(ping, "deviceinfo.product_model"), or(ping, "deviceinfo.firmware_revision"),
    dims.appUpdateChannel,
    or(icc, "mnc"), or(icc, "mcc"), or(icc, "spn"),
    or(network, "mnc"), or(network, "mcc"), or(network, "operator"),
    or(info, "geoCountry"),
  ])
}

// If a document was stored several times, the first record counts.
export function combine(id, devices, ctx) {
  for (const first of devices) return ctx.write(id, first)
}

export function reduce(id, devices, ctx) {
  for (const first of devices) return ctx.writeCSV(first)
}
