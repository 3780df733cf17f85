package import FileTree

/// What of a job comes back as artifacts.
package struct ArtifactRules: Sendable, Equatable {
  /// What comes back of all that changed; `nil` for all of it.
  package var include: Patterns?
  /// What of that stays away.
  package var exclude: Patterns
  /// Patterns of which each must match a file of the workspace at the end, else a successful job counts as failed.
  package var required: [RequiredArtifact]

  package init(include: Patterns? = nil, exclude: Patterns = .none, required: [RequiredArtifact] = []) {
    self.include = include
    self.exclude = exclude
    self.required = required
  }
}

/// A pattern that must match a file.
package struct RequiredArtifact: Sendable, Equatable {
  /// The pattern as it was written.
  package let text: String
  /// The pattern.
  package let pattern: Patterns
}

/// Paths of the workspace that a host keeps between jobs.
package struct CacheRule: Sendable, Equatable {
  /// The largest number of caches of a job.
  static let most = 100

  /// The name under which the paths are kept; up to 256 bytes.
  package var key: String
  /// Files whose content decides whether what is kept is exactly what is wanted.
  package var files: [String]
  /// The paths, relative and without `..`; none is below another of the same job.
  package var paths: [String]

  package init(key: String, files: [String] = [], paths: [String]) {
    self.key = key
    self.files = files
    self.paths = paths
  }
}

extension JobDefinition {
  /// What of the workspace may come back: artifacts, but never caches.
  package var artifactSelection: Selection {
    let cached = Patterns(paths: caches.flatMap(\.paths).map { RelativePath($0) })
    return Selection(include: artifacts.include, exclude: artifacts.exclude + cached)
  }

  /// The folders above what is cached. Restoring makes them, so a new one is no artifact by itself.
  package var cacheParents: Set<RelativePath> {
    Set(caches.flatMap(\.paths).flatMap { RelativePath($0).parents })
  }

  /// What of the job's folder is staged, unless its content is signed.
  package var stageSelection: Selection { Selection(exclude: stageExclude) }

  /// What of a folder is uploaded as the job's: what is staged, less what `others` match, and job.json in any case, since
  /// the worker reads it before it stages.
  package func uploadSelection(without others: Patterns) -> Selection {
    Selection(exclude: stageExclude + others + Patterns(exceptions: [RelativePath("job.json")]))
  }
}

/// What happened to a cache: an element of `caches` in result.json.
package struct CacheResult: Codable, Sendable, Equatable {
  /// What was found of a cache.
  package enum Hit: String, Codable, Sendable {
    /// An entry of this key, these files and these paths.
    case exact
    /// The newest entry of this key.
    case partial
    case miss
  }

  /// The key.
  package var key: String
  /// What was found.
  package var hit: Hit
  /// The bytes that were copied into the workspace.
  package var bytes: Int
  /// How long that took, in milliseconds.
  package var restoreMs: Int
  /// Whether the job's end saved an entry.
  package var saved: Bool

  package init(key: String, hit: Hit, bytes: Int, restoreMs: Int, saved: Bool = false) {
    self.key = key
    self.hit = hit
    self.bytes = bytes
    self.restoreMs = restoreMs
    self.saved = saved
  }
}
