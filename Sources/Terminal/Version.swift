/// What `--version` says, of both programs.
package let programVersion = "1.0.0"
