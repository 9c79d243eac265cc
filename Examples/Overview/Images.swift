// The example of the module's overview page, which shows it from the first import on.

import Images

/// What a kernel's file is, and where in a guest of 128 MiB its first instruction stands.
func start(of file: [UInt8]) throws -> (format: ImageFormat, start: BootPlan.Start) {
  let image = try BootableImage(reading: file)
  let plan = try BootPlan(image, memory: 128 << 20, commandLine: Array("quiet".utf8))
  return (image.format, plan.start)
}
