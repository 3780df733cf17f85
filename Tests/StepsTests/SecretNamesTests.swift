import Testing

@testable import Steps

struct SecretNamesTests {
  @Test(arguments: [
    "GITHUB_TOKEN", "token", "CLIENT_SECRET", "DB_PASSWORD", "db_password", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY",
    "SOME_API_KEY", "SSH_PASSPHRASE", "named", "_TOKEN",
  ])
  func nameSaysThatItIsASecret(_ name: String) {
    #expect(SecretNames(["named"]).contains(name))
  }

  @Test(arguments: ["PATH", "TOKENS", "KEY", "NAMED", "AWS_ACCESS_KEY_ID", "MAXTOKEN", "SECRETARY", "TOKEN_URL", ""])
  func otherNamesAreNone(_ name: String) {
    #expect(!SecretNames(["named"]).contains(name))
  }
}
