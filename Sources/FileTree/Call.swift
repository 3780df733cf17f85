/// The system calls of this library, by the words that an error message has for them.
enum Call: String {
  case open
  case openFolder = "open folder"
  case create
  case makeFolder = "make folder"
  case list
  case stat
  case read
  case write
  case readlink = "read symlink"
  case clone
  case copyRange = "copy range"
  case seekData = "seek data"
  case seekHole = "seek hole"
  case rewind
  case setSize = "set size"
  case setTimes = "set times"
  case setMode = "set mode"
  case sync
  case rename
  case unlink = "remove"
  case removeFolder = "remove folder"
}
