// Asks for the jobs while the page's modules are still on their way.
if (!location.hash.startsWith("#/job/")) window.early = fetch("/api/jobs", { credentials: "same-origin" });
