-- SPDX-License-Identifier: Apache-2.0
-- wrk: a seeded mix of paths, stopped after a number of responses per thread:
-- wrk ... -s mix.lua URL -- RESPONSES [close]
local paths = {
	"/hello", "/hello", "/hello", "/users/1842", "/users/77", "/api/hello.world",
	"/search?q=x", "/empty", "/made", "/moved", "/denied", "/missing",
}
local left

function init(args)
	math.randomseed(1842)
	left = tonumber(args[1])
	if args[2] == "close" then
		wrk.headers["Connection"] = "close"
	end
end

function request()
	return wrk.format("GET", paths[math.random(#paths)])
end

function response()
	left = left - 1
	if left <= 0 then
		wrk.thread:stop()
	end
end
