/**
 * What a process that runs foreign model files needs of its environment: where programs, libraries, temporary files and GPUs are.
 * Never a secret, nor where the database is.
 */
const needed =
  /^(PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|TMP|TEMP|SYSTEMROOT|LD_LIBRARY_PATH|DYLD_\w+|CUDA_\w+|NVIDIA_\w+|ORT_\w+|OMP_\w+|UNDERSTUDY_LOG_LEVEL|UNDERSTUDY_MODELS_DIR)$/;

/** The part of an environment that is handed to a process which loads a model file. */
export function modelEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => needed.test(name)));
}
