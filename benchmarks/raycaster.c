/* A plain raycaster: textured walls, floor and ceiling with distance shading, 8-bit RGB, one pixel after the
   other, compiled with -O3. What a first-person view costs when written straightforwardly: the yardstick of the
   egocentric environments, which draw sprites and step their world besides. */

#include <math.h>
#include <stdint.h>

enum { SIZE = 24, SIDE = 64, AREA = SIDE * SIDE };

static void put(uint8_t *pixel, uint32_t colour, int light) {
    pixel[0] = ((colour & 255) * light) >> 8;
    pixel[1] = ((colour >> 8 & 255) * light) >> 8;
    pixel[2] = ((colour >> 16 & 255) * light) >> 8;
}

static int shade(float distance) { return (int)(256.0f / (1.0f + 0.12f * distance)); }

static void draw(const uint8_t *grid, float x, float y, float angle, const uint32_t *atlas, int floor_texture,
                 int ceiling_texture, int width, int height, uint8_t *out) {
    const float c = cosf(angle), n = sinf(angle), focus = width / 2.0f;
    for (int column = 0; column < width; column++) {
        const float across = 2.0f * (column + 0.5f) / width - 1.0f;
        const float dx = c - n * across, dy = n + c * across;
        const float step_x = fabsf(1.0f / dx), step_y = fabsf(1.0f / dy);
        int cell_x = (int)x, cell_y = (int)y, side = 0;
        float next_x = (dx > 0 ? cell_x + 1 - x : x - cell_x) * step_x;
        float next_y = (dy > 0 ? cell_y + 1 - y : y - cell_y) * step_y, distance = 0.0f;
        while (grid[cell_y * SIZE + cell_x] == 0) {
            if (next_x < next_y) {
                distance = next_x, next_x += step_x, cell_x += dx > 0 ? 1 : -1, side = 0;
            } else {
                distance = next_y, next_y += step_y, cell_y += dy > 0 ? 1 : -1, side = 1;
            }
        }
        const float place = side == 0 ? y + distance * dy : x + distance * dx;
        const uint32_t *wall = atlas + (grid[cell_y * SIZE + cell_x] - 1) * AREA + (int)((place - floorf(place)) * SIDE);
        const float tall = focus / distance;
        const int light = (int)(shade(distance) * (side == 0 ? 1.0f : 0.75f));
        for (int row = 0; row < height; row++) {
            uint8_t *pixel = out + 3 * (row * width + column);
            const float below = row + 0.5f - height / 2.0f;
            if (fabsf(below) < tall / 2.0f) {
                put(pixel, wall[(int)((below / tall + 0.5f) * SIDE) * SIDE], light);
                continue;
            }
            const float far = 0.5f * focus / fabsf(below);
            const float at_x = x + far * dx, at_y = y + far * dy;
            const int u = (int)((at_x - floorf(at_x)) * SIDE), v = (int)((at_y - floorf(at_y)) * SIDE);
            const int texture = below > 0 ? floor_texture : ceiling_texture;
            put(pixel, atlas[texture * AREA + v * SIDE + u], shade(far));
        }
    }
}

/* Draw `rows` pictures (height, width, 3), one of each player. */
void raycaster_draw(int64_t rows, const uint8_t *grids, const double *x, const double *y, const double *angle,
                    const uint32_t *atlas, int64_t floor_texture, int64_t ceiling_texture, int64_t width,
                    int64_t height, uint8_t *out) {
    for (int64_t i = 0; i < rows; i++)
        draw(grids + i * SIZE * SIZE, (float)x[i], (float)y[i], (float)angle[i], atlas, (int)floor_texture,
             (int)ceiling_texture, (int)width, (int)height, out + i * height * width * 3);
}
