/// Copies, compares, exports and removes trees of files, in parallel and exact to the byte.
///
/// All operations use descriptors and names relative to them (openat(2)) and follow no symlink, so a tree in hostile
/// hands cannot lead out of itself. The functions block their caller: call them from a thread that may block, not from
/// Swift's cooperative pool.
public enum FileTree {}
