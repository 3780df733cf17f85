/// Whether links below a folder are followed, if they do not lead out of it.
package enum LinksBeneath {
  case refused, followed
}
