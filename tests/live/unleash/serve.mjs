// Starts the Unleash of tests/live/unleash.py, with tokens that are known beforehand.
import { start } from "unleash-server";

const { DATABASE_URL, PORT, TOKENS } = process.env;

await start({
  databaseUrl: DATABASE_URL,
  db: { ssl: false },
  server: { port: Number(PORT), host: "127.0.0.1", gracefulShutdownEnable: false },
  authentication: { initApiTokens: JSON.parse(TOKENS) },
  versionCheck: { enable: false },
  telemetry: false,
  logLevel: "error",
});
