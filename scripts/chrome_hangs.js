// The stacks of hangs of the user interface and of writes after shutdown, as input
// for a symbolication service.
//
// Output: document ID, an object with chromeHangs, lateWrites and the dimensions.

const some = (section) => section && section.memoryMap && section.memoryMap.length > 0

export function map(id, dims, ping, ctx) {
  const { chromeHangs, lateWrites } = ping
  if (some(chromeHangs) || some(lateWrites)) {
    ctx.write(id, { chromeHangs: chromeHangs || {}, lateWrites: lateWrites || {}, dimensions: dims })
  }
}
