/// Copies, compares, exports and removes trees of files, in parallel and exact to the byte.
///
/// Everything goes by descriptors and names below them (openat(2)), and no symlink is ever followed, so that a tree in
/// the hands of somebody hostile cannot lead out of itself. The functions block their caller: call them from a thread
/// that may wait, not from Swift's cooperative pool.
public enum FileTree {}
