package import ArgumentParser
package import Jobs
package import SystemPackage
package import Volume

/// The option for the shared volume.
package struct VolumeOptions: ParsableArguments {
  @Option(
    name: .shortAndLong, help: ArgumentHelp("The shared volume. (MQTT_JOBS_DIR; default: ./jobs)", valueName: "folder"),
    completion: .directory)
  package var jobsDir: String?

  /// Without a value: the parser fills it in.
  package init() {}

  /// An empty name is a variable of a script that was not set, and would be the current folder.
  package func validate() throws {
    guard jobsDir != "" else { throw ValidationError("--jobs-dir is empty: give the folder of the volume") }
  }
}

extension VolumeOptions {
  /// The folder from `--jobs-dir`, the environment, or the default.
  package func folder(_ environment: Environment) -> FilePath {
    FilePath(jobsDir ?? environment["MQTT_JOBS_DIR"] ?? "./jobs")
  }

  /// The volume. Throws ``NoVolume`` if there is none.
  package func directory(_ environment: Environment) throws -> JobsDirectory {
    let directory = JobsDirectory(folder(environment))
    do {
      try JobRecords(directory).checkVolume()
    } catch {
      throw NoVolume(cause: error)
    }
    return directory
  }

  /// The given volume, or the default one if it exists; otherwise `nil`.
  package func directoryIfAny(_ environment: Environment) throws -> JobsDirectory? {
    if jobsDir == nil, environment["MQTT_JOBS_DIR"] == nil { return try? directory(environment) }
    return try directory(environment)
  }
}

/// There is no jobs folder at the given path.
package struct NoVolume: Error, CustomStringConvertible {
  package let cause: VolumeError

  package var description: String { "\(cause); give its folder with --jobs-dir" }
}

/// The option for the topics of answers.
package struct TopicOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Results go to <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)", valueName: "topic"))
  package var resultsTopic: String?

  /// Without a value: the parser fills it in.
  package init() {}

  package func topics(_ environment: Environment) throws -> Topics {
    Topics(results: try results(environment))
  }

  /// The results topic from the option, the environment, or the default. Throws unless one can publish below it.
  package func results(_ environment: Environment) throws -> String {
    let topic = resultsTopic ?? environment["MQTT_RESULTS_TOPIC"] ?? "jobs/results"
    guard !topic.isEmpty, !topic.contains(where: { "+#\0".contains($0) }), !topic.hasSuffix("/") else {
      throw ValidationError(
        "results topic '\(topic)' is not a topic: give one without '+' and '#' that does not end with '/', as in 'jobs/results'"
      )
    }
    return topic
  }
}
