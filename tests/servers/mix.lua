-- SPDX-License-Identifier: Apache-2.0
-- wrk: a seeded mix of paths: wrk ... -s mix.lua URL -- [close]
local paths = {
	"/hello", "/hello", "/hello", "/users/1842", "/users/77", "/api/hello.world",
	"/search?q=x", "/empty", "/made", "/moved", "/denied", "/missing",
}

function init(args)
	math.randomseed(1842)
	if args[1] == "close" then
		wrk.headers["Connection"] = "close"
	end
end

function request()
	return wrk.format("GET", paths[math.random(#paths)])
end
