/// How many threads work on a tree, the calling one among them.
public enum ThreadPolicy: Hashable, Sendable {
  /// As many as cores while they are busy; more, up to 64, while the volume keeps them waiting.
  case adaptive
  /// At most so many.
  case atMost(Int)
}
