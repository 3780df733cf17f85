import ArgumentParser
import Jobs
import MQTT
import SystemPackage
import Volume

/// The option for the shared volume in client commands.
struct VolumeOptions: ParsableArguments {
  @Option(
    name: .shortAndLong, help: ArgumentHelp("The shared volume. (MQTT_JOBS_DIR; default: ./jobs)", valueName: "folder"),
    completion: .directory)
  var jobsDir: String?
}

extension VolumeOptions {
  /// The volume. Throws if there is none.
  func directory(_ environment: Environment) throws -> JobsDirectory {
    let directory = JobsDirectory(FilePath(jobsDir ?? environment["MQTT_JOBS_DIR"] ?? "./jobs"))
    do {
      try JobRecords(directory).checkVolume()
    } catch {
      throw NoVolume(cause: error)
    }
    return directory
  }

  /// The given volume, or the default one if it exists; otherwise `nil`.
  func directoryIfAny(_ environment: Environment) throws -> JobsDirectory? {
    if jobsDir == nil, environment["MQTT_JOBS_DIR"] == nil { return try? directory(environment) }
    return try directory(environment)
  }
}

/// There is no jobs folder at the given path.
struct NoVolume: Error, CustomStringConvertible {
  let cause: VolumeError

  var description: String { "\(cause); --jobs-dir says where it is" }
}

/// The option for the topics in client commands.
struct TopicOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Results come on <topic>/<id>. (MQTT_RESULTS_TOPIC; default: jobs/results)", valueName: "topic"))
  var resultsTopic: String?
}

extension TopicOptions {
  func topics(_ environment: Environment) throws -> Topics {
    Topics(results: try checkedResultsTopic(resultsTopic, environment))
  }
}

/// The topic for requests: the workers' filter without `$share/<group>/`.
func requestTopic(_ flag: String?, _ environment: Environment) throws -> String {
  let text = flag ?? environment["MQTT_TOPIC"] ?? "jobs/pending"
  let filter: TopicFilter
  do {
    filter = try TopicFilter(text)
  } catch {
    throw ValidationError(error.description)
  }
  guard !filter.pattern.contains(where: { "+#".contains($0) }) else {
    throw ValidationError("topic '\(text)' has wildcards: a request goes to one topic, as in -t jobs/pending")
  }
  return filter.pattern
}

/// The results topic from the flag, the environment, or the default. Throws unless one can publish below it.
func checkedResultsTopic(_ flag: String?, _ environment: Environment) throws -> String {
  let topic = flag ?? environment["MQTT_RESULTS_TOPIC"] ?? "jobs/results"
  guard !topic.isEmpty, !topic.contains(where: { "+#\0".contains($0) }), !topic.hasSuffix("/") else {
    throw ValidationError(
      "results topic '\(topic)' cannot be published to: it has no '+' or '#', as in 'jobs/results'")
  }
  return topic
}

/// The worker's id from `--id`, the environment, or the default.
func workerID(_ flag: String?, _ environment: Environment) throws -> WorkerID {
  let text = flag ?? environment["WORKER_ID"] ?? "worker-01"
  guard let id = WorkerID(text, host: hostName()) else {
    throw ValidationError(
      "worker id '\(text)' must be letters, digits, '.', '_' and '-', start with a letter or digit, and have at most "
        + "128 characters; %h stands for the host name")
  }
  guard id.text != "all" else {
    throw ValidationError("worker id 'all' is taken: workers/all/command reaches every worker")
  }
  return id
}

/// The folder of the workspaces from `--workspaces-dir`, the environment, or the default.
func workspacesFolder(_ flag: String?, _ environment: Environment) -> FilePath {
  FilePath(flag ?? environment["MQTT_WORKSPACES_DIR"] ?? "./workspaces")
}
