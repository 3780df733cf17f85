/// The version of the programs, in `--version`, result.json, statuses and the log.
package let programVersion = "0.1.0"
