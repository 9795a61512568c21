// Prints "PASSED FAILED" of a Vitest JSON report. A run that failed without a failed test (a file that does not load,
// say), or that left a test out, counts as one more failure: nothing may go missing unseen.
import { readFileSync } from "node:fs";

const [reportPath, exitStatus] = process.argv.slice(2);
const report = JSON.parse(readFileSync(reportPath, "utf8"));
const { numPassedTests: passed, numFailedTests, numPendingTests: leftOut, numTodoTests: todo } = report;
let failed = numFailedTests + leftOut + todo;
if (passed === 0 || (Number(exitStatus) !== 0 && failed === 0)) failed += 1;
console.log(`${passed} ${failed}`);
