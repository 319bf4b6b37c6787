/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target once for each file of the directories named on the command line, and names it
 * first: a check that does not hold ends the program.
 */
#include <dirent.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"

#define FILE_MAX (1u << 20)

static unsigned passed;

static int replay_file(const char *path)
{
	scoped_file FILE *file = fopen(path, "re");
	scoped_free uint8_t *bytes = malloc(FILE_MAX);
	scoped_free uint8_t *exact = NULL;
	size_t n;

	if (!file || !bytes) {
		perror(path);
		return 1;
	}
	n = fread(bytes, 1, FILE_MAX, file);
	/* No room behind the last byte: a sanitizer sees the first one read too many. */
	exact = malloc(n > 0 ? n : 1);
	if (!exact || ferror(file)) {
		perror(path);
		return 1;
	}
	memcpy(exact, bytes, n);
	(void)printf("%s\n", path);
	(void)fflush(stdout); /* also if it is the last one */
	(void)LLVMFuzzerTestOneInput(exact, n); /* always 0 */
	passed++;
	return 0;
}

static int replay_dir(const char *dir)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, alphasort);
	int rc = 0;

	if (n < 0) {
		perror(dir);
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && rc == 0)
			rc = replay_file(path);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (replay_dir(argv[i]) != 0)
			return 1;
	}
	if (passed == 0) {
		(void)fprintf(stderr, "nothing to replay\n");
		return 1;
	}
	(void)printf("replay: %u passed, 0 failed\n", passed);
	return 0;
}
