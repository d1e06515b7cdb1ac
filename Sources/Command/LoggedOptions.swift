import JSON

extension Train {
  /// The options that nothing else in the start of the log shows, by name: null where they were not given or
  /// belong to another optimizer.
  ///
  /// The other ones are there as what holds, given or not.
  var loggedOptions: [(String, JSONText)] {
    [
      ("checkpoint", .text(model.checkpoint)), ("from_scratch", .text(model.fromScratch)),
      ("data", .text(data.data)), ("dataset", .text(data.dataset)),
      ("token_type", .text(data.tokenTypeOption.tokenType?.rawValue)), ("save", .text(saving.save)),
      ("save_every", .integer(saving.interval)), ("keep", .integer(saving.keptSteps)),
      ("resume", .boolean(saving.resume)), ("gradient_check", .integer(checks.gradientCheck ?? 0)),
      ("on_save_error", .text((saving.onSaveError ?? .continue).rawValue)), ("output", .text(saving.output)),
      ("output_format", .text(saving.outputFormat?.rawValue)), ("log", .text(log)),
      ("tensorboard", .text(tensorboard)), ("trace", .text(trace)),
    ] + optimizer.otherHyperparameters.map { ($0, .null) }
  }
}
