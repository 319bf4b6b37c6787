/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top_screen.h"

#include <errno.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "cmd/top_page.h"

/* An Escape that no other byte of a key follows within this time is the key Escape. */
#define ESCAPE_MS 25

#define PAIR_BAD 1

static SCREEN *screen; /* ncurses has one, too: stdscr */

/* https://no-color.org/ */
static bool wants_colors(void)
{
	const char *no_color = getenv("NO_COLOR");

	return !(no_color && *no_color) && has_colors();
}

static void set_modes(void)
{
	(void)cbreak(); /* these fail only without a screen */
	(void)noecho();
	(void)nonl();
	(void)keypad(stdscr, true);
	(void)nodelay(stdscr, true);
	(void)set_escdelay(ESCAPE_MS);
	(void)curs_set(0); /* not all terminals can */
	if (!wants_colors())
		return;
	(void)start_color();
	(void)use_default_colors();
	(void)init_pair(PAIR_BAD, COLOR_RED, -1);
}

int top_screen_open(void)
{
	const char *move;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -ENOTTY;
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return -ENOTSUP;
	move = cursor_address;
	if (!move) {
		top_screen_close();
		return -ENOTSUP;
	}
	set_modes();
	return 0;
}

void top_screen_close(void)
{
	if (!screen)
		return;
	(void)endwin(); /* the terminal may be gone */
	delscreen(screen);
	screen = NULL;
}

int top_screen_key(void)
{
	static const struct {
		int key;
		int meaning;
	} keys[] = {
		{KEY_UP, TOP_KEY_UP},
		{KEY_DOWN, TOP_KEY_DOWN},
		{KEY_LEFT, TOP_KEY_LEFT},
		{KEY_RIGHT, TOP_KEY_RIGHT},
		{KEY_PPAGE, TOP_KEY_PAGE_UP},
		{KEY_NPAGE, TOP_KEY_PAGE_DOWN},
		{KEY_HOME, TOP_KEY_HOME},
		{KEY_END, TOP_KEY_END},
		{KEY_ENTER, TOP_KEY_ENTER},
		{'\r', TOP_KEY_ENTER},
		{'\n', TOP_KEY_ENTER},
		{'\x1b', TOP_KEY_ESCAPE},
		{KEY_BACKSPACE, TOP_KEY_BACKSPACE},
		{'\x7f', TOP_KEY_BACKSPACE},
		{'\b', TOP_KEY_BACKSPACE},
	};
	int key = getch();

	if (key == ERR)
		return -1;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].key == key)
			return keys[i].meaning;
	return key < 0x80 ? key : 0; /* 0: a key without a meaning */
}

static attr_t attributes(enum top_style style)
{
	switch (style) {
	case TOP_BAR:
	case TOP_SELECTED:
		return A_REVERSE;
	case TOP_TITLES:
		return A_BOLD;
	case TOP_BAD:
		return wants_colors() ? (attr_t)COLOR_PAIR(PAIR_BAD) : A_BOLD;
	case TOP_PLAIN:
		break;
	}
	return A_NORMAL;
}

static void draw_line(void *ctx, size_t y, enum top_style style, struct span text)
{
	bool is_whole_line = style == TOP_BAR || style == TOP_SELECTED;

	(void)ctx;
	/* These fail where the screen is too small for anything. */
	(void)attrset(attributes(style));
	(void)mvaddnstr((int)y, 0, text.ptr, (int)text.len);
	if (is_whole_line && text.len < (size_t)COLS)
		(void)hline(' ', COLS - (int)text.len);
	(void)attrset(A_NORMAL);
}

void top_screen_draw(struct top_model *m)
{
	(void)erase(); /* as the next: fails only without a screen */
	top_page(m, (size_t)COLS, (size_t)LINES, draw_line, NULL);
	(void)refresh();
}

size_t top_screen_rows(void)
{
	return top_page_rows((size_t)LINES);
}

void top_screen_resize(void)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row || !size.ws_col)
		return;
	(void)resizeterm(size.ws_row, size.ws_col); /* without memory, the old size stays */
	top_screen_refresh();
}

void top_screen_refresh(void)
{
	(void)clearok(curscr, true); /* fails only without a screen */
}

void top_screen_suspend(void)
{
	(void)endwin();
	(void)raise(SIGSTOP); /* cannot be blocked: here the time passes */
	top_screen_resize();
	top_screen_refresh();
}
